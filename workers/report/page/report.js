"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const map = byId("map"), scroller = byId("scroller"), canvas = byId("canvas"), axis = byId("axis");
  const panel = byId("panel"), tip = byId("tip"), overview = byId("overview"), view = byId("window");
  const startMm = Number(map.dataset.startMm), alongMm = Number(map.dataset.alongMm), acrossMm = Number(map.dataset.acrossMm);
  const sides = [...map.querySelectorAll(".side")];
  const markers = [...map.querySelectorAll(".marker")].sort((a, b) => a.dataset.number - b.dataset.number);
  const markerOf = new Map(markers.map((marker) => [marker.dataset.number, marker]));
  const rows = [...document.querySelectorAll(".event-row")];
  const rowOf = new Map(rows.map((row) => [row.dataset.number, row]));
  const visible = (element) => element.getClientRects().length > 0;
  root.classList.add("script");

  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  // Zoom: the canvas grows along the strip; across grows with it until both scales are the same.
  const LOWEST_PX = sides.length > 1 ? 250 : 300, HIGHEST_PX = sides.length > 1 ? 380 : 520, TICK_PX = 95, LARGEST_MARKER_PX = 13;
  let zoom = 1;
  const largestZoom = () => Math.max(1, (HIGHEST_PX / acrossMm) * alongMm / scroller.clientWidth);

  const setZoom = (wanted, atPx = scroller.clientWidth / 2) => {
    const anchor = (scroller.scrollLeft + atPx) / (scroller.clientWidth * zoom);
    zoom = Math.min(Math.max(wanted, 1), largestZoom());
    const trueHeight = acrossMm * scroller.clientWidth * zoom / alongMm;
    map.style.setProperty("--side-height", `${Math.min(Math.max(trueHeight, LOWEST_PX), HIGHEST_PX)}px`);
    map.style.setProperty("--marker", `${Math.min(Number(map.dataset.markerPx) * Math.sqrt(zoom), LARGEST_MARKER_PX)}px`);
    canvas.style.width = `${zoom * 100}%`;
    root.classList.toggle("zoomed", zoom > 1);
    scroller.scrollLeft = anchor * scroller.clientWidth * zoom - atPx;
    draw();
  };

  const tickStep = () => {
    const rough = alongMm / 1000 * TICK_PX / (scroller.clientWidth * zoom);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * (1 - 1e-9));
  };

  const draw = () => {
    const width = scroller.clientWidth * zoom, step = tickStep(), start = startMm / 1000, metres = alongMm / 1000;
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const shownFrom = start + scroller.scrollLeft / width * metres, shownTo = shownFrom + metres / zoom;
    const first = Math.max(Math.ceil(start / step - 1e-9), Math.floor(shownFrom / step));
    const last = Math.min(Math.floor((start + metres) / step + 1e-9), Math.ceil(shownTo / step));
    const labels = [], lines = sides.map(() => []);
    for (let index = first; index <= last; index += 1) {
      const left = `${(index * step - start) / metres * 100}%`;
      const label = make("span", "", (index * step).toFixed(digits));
      label.style.left = left;
      labels.push(label);
      lines.forEach((list) => { const line = make("i"); line.style.left = left; list.push(line); });
    }
    axis.replaceChildren(...labels);
    sides.forEach((side, index) => side.querySelector(".grid").replaceChildren(...lines[index]));
    view.style.left = `${scroller.scrollLeft / width * 100}%`;
    view.style.width = `${100 / zoom}%`;
    const shown = metres / zoom;
    byId("scale").textContent = zoom === 1 ? `${metres.toFixed(1)} m` : `${shown.toFixed(shown < 10 ? 2 : 1)} m of ${metres.toFixed(0)} m`;
    map.parentElement.querySelector("[data-zoom=out]").disabled = zoom === 1;
    map.parentElement.querySelector("[data-zoom=fit]").disabled = zoom === 1;
    map.parentElement.querySelector("[data-zoom=in]").disabled = zoom >= largestZoom() * 0.999;
  };

  const ZOOMS = { in: () => setZoom(zoom * 1.6), out: () => setZoom(zoom / 1.6), fit: () => setZoom(1) };
  document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", ZOOMS[button.dataset.zoom]));
  scroller.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    setZoom(zoom * Math.exp(-event.deltaY / 300), event.clientX - scroller.getBoundingClientRect().left);
  }, { passive: false });
  new ResizeObserver(() => setZoom(zoom)).observe(scroller);

  // Dragging moves the strip; a drag that ends on a marker is not a click on it.
  let drag = null;
  scroller.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) drag = { x: event.clientX, from: scroller.scrollLeft, moved: false };
  });
  window.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.moved ||= Math.abs(event.clientX - drag.x) > 4;
    if (!drag.moved) return;
    scroller.classList.add("dragging");
    scroller.scrollLeft = drag.from - (event.clientX - drag.x);
  });
  window.addEventListener("pointerup", () => {
    const moved = drag?.moved;
    drag = null;
    scroller.classList.remove("dragging");
    if (!moved) return;
    const swallow = (event) => { event.preventDefault(); event.stopPropagation(); };
    window.addEventListener("click", swallow, { capture: true });
    setTimeout(() => window.removeEventListener("click", swallow, { capture: true }));
  });
  scroller.addEventListener("dragstart", (event) => event.preventDefault());
  const seek = (event) => {
    const box = overview.getBoundingClientRect();
    scroller.scrollLeft = (event.clientX - box.left) / box.width * scroller.clientWidth * zoom - scroller.clientWidth / 2;
  };
  overview.addEventListener("pointerdown", (event) => { overview.setPointerCapture(event.pointerId); seek(event); });
  overview.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });

  // One stop of the tab key for the whole map; arrows go from event to event.
  const reach = (marker) => {
    markers.forEach((other) => { other.tabIndex = other === marker ? 0 : -1; });
  };
  const neighbour = (marker, step) => {
    const seen = markers.filter((other) => other === marker || visible(other));
    return seen[seen.indexOf(marker) + step];
  };
  map.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const marker = event.target.closest(".marker");
    if (step && marker) {
      event.preventDefault();
      const next = neighbour(marker, step);
      if (next) { reach(next); next.focus(); if (!panel.hidden) open(next.dataset.number, false); }
    }
    if (event.key === "+" || event.key === "=") ZOOMS.in();
    if (event.key === "-") ZOOMS.out();
    if (event.key === "0") ZOOMS.fit();
  });
  if (markers.length) reach(markers[0]);

  // The detail panel.
  let opened = null, opener = null;
  const centre = (marker) => {
    const middle = parseFloat(marker.style.left) / 100 * scroller.clientWidth * zoom;
    if (middle < scroller.scrollLeft + 20 || middle > scroller.scrollLeft + scroller.clientWidth - 20) {
      scroller.scrollLeft = middle - scroller.clientWidth / 2;
    }
  };

  const shapeOf = (number) => {
    const group = byId(`shape-${number}`);
    const points = group ? [...group.querySelectorAll("polygon")].flatMap((polygon) => [...polygon.points]) : [];
    if (!points.length) return null;
    const xs = points.map((point) => point.x), ys = points.map((point) => point.y);
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs) - Math.min(...xs) || 1, Math.max(...ys) - Math.min(...ys) || 1];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "shape");
    svg.setAttribute("viewBox", box.join(" "));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Outline of the event, true to scale");
    group.querySelectorAll("polygon").forEach((polygon) => svg.append(polygon.cloneNode()));
    return svg;
  };

  const crossOf = (cells) => {
    const [left, right, width] = [6, 7, 9].map((index) => Number(cells[index].dataset.sort));
    if (left < 0 || right < 0) return [];
    const bar = make("div", "cross"), mark = make("i"), total = left + width + right;
    mark.style.left = `${left / total * 100}%`;
    mark.style.width = `${width / total * 100}%`;
    bar.append(mark);
    const ends = make("div", "cross-ends");
    [["drive edge", cells[6]], ["operator edge", cells[7]]].forEach(([name, cell]) => {
      const end = make("span");
      end.append(make("b", "", `${cell.textContent} mm`), ` from ${name}`);
      ends.append(end);
    });
    return [bar, ends];
  };

  const factsOf = (row, cells) => {
    const list = make("dl");
    const facts = [
      ["Class", cells[3].textContent], ["Side", cells[4].textContent],
      ["Length × width", `${cells[8].textContent} × ${cells[9].textContent} mm`],
      ["Area", `${cells[10].textContent} mm²`], ["Score", cells[11].textContent], ["Cameras", cells[12].textContent],
      ["Frames", cells[13].textContent],
    ];
    facts.forEach(([name, value]) => list.append(make("dt", "", name), make("dd", "", value)));
    const id = make("dd");
    id.append(make("code", "", row.dataset.id));
    list.append(make("dt", "", "Id"), id);
    return list;
  };

  const fill = (row) => {
    const cells = row.cells, number = row.dataset.number;
    const head = make("div", "panel-head"), close = make("button", "", "Close");
    close.type = "button";
    close.title = "Close (Esc)";
    close.addEventListener("click", () => shut());
    head.append(make("h2", "", `Event ${number}`), cells[2].firstElementChild.cloneNode(true), close);
    const picture = cells[1].querySelector("img"), parts = [head];
    if (picture) {
      const big = make("img", "big-picture");
      big.src = picture.src;
      big.alt = picture.alt;
      parts.push(big);
    }
    const place = make("p", "panel-place", `${row.dataset.start} – ${row.dataset.end} m `);
    place.append(make("small", "", "from the head"));
    parts.push(place, ...crossOf(cells));
    const shape = shapeOf(number);
    if (shape) parts.push(shape, make("p", "shape-note", "Outline, true to scale; along the strip to the right"));
    parts.push(factsOf(row, cells));
    const steps = make("div", "steps");
    [["← Previous", -1], ["Next →", 1]].forEach(([text, step]) => {
      const button = make("button", "", text), next = neighbour(markerOf.get(number), step);
      button.type = "button";
      button.disabled = !next;
      button.addEventListener("click", () => open(next.dataset.number));
      steps.append(button);
    });
    parts.push(steps);
    panel.className = row.classList.contains("severe") ? "severe" : row.classList.contains("moderate") ? "moderate" : "minor";
    panel.replaceChildren(...parts);
  };

  const select = (number) => {
    document.querySelectorAll(".selected").forEach((element) => element.classList.remove("selected"));
    opened = number;
    if (number === null) return;
    [markerOf.get(number), rowOf.get(number)].forEach((element) => element.classList.add("selected"));
    reach(markerOf.get(number));
    centre(markerOf.get(number));
  };

  const open = (number, focus = true) => {
    if (!rowOf.has(number)) return;
    if (panel.hidden) opener = document.activeElement;
    fill(rowOf.get(number));
    panel.hidden = false;
    panel.scrollTop = 0;
    root.classList.add("panel-open");
    select(number);
    if (focus) panel.focus({ preventScroll: true });
    if (location.hash !== `#event-${number}`) history.replaceState(null, "", `#event-${number}`);
  };

  const shut = () => {
    panel.hidden = true;
    root.classList.remove("panel-open");
    const back = opener && opener !== document.body ? opener : markerOf.get(opened);
    select(null);
    history.replaceState(null, "", "#");
    back?.focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const marker = event.target.closest(".marker"), row = event.target.closest(".event-row");
    const number = (marker ?? row)?.dataset.number;
    if (!number || event.ctrlKey || event.metaKey || getSelection()?.toString()) return;
    event.preventDefault();
    open(number);
  });
  document.addEventListener("keydown", (event) => {
    if (panel.hidden) return;
    if (event.key === "Escape") shut();
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && panel.contains(event.target)) {
      const next = neighbour(markerOf.get(opened), step);
      if (next) open(next.dataset.number);
    }
  });
  const fromHash = () => open(/^#event-(\d+)$/.exec(location.hash)?.[1], false);
  window.addEventListener("hashchange", fromHash);

  // Tooltips, for the pointer and for the keyboard; they take the place of the plain titles.
  map.querySelectorAll("[data-tip]").forEach((element) => element.removeAttribute("title"));
  const showTip = (element) => {
    tip.textContent = element.dataset.tip;
    tip.hidden = false;
    const box = element.getBoundingClientRect(), frame = scroller.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const middle = (Math.max(box.left, frame.left) + Math.min(box.right, frame.right)) / 2;
    tip.style.left = `${Math.min(Math.max(8, middle - own.width / 2), innerWidth - own.width - 8)}px`;
    tip.style.top = `${box.top - own.height - 8 > 0 ? box.top - own.height - 8 : box.bottom + 8}px`;
  };
  ["pointerover", "focusin"].forEach((name) => map.addEventListener(name, (event) => {
    const element = event.target.closest("[data-tip]");
    if (element && !drag?.moved) showTip(element);
  }));
  ["pointerout", "focusout"].forEach((name) => map.addEventListener(name, () => { tip.hidden = true; }));

  // The table: sorting, and how many rows the filters leave.
  const table = byId("event-table");
  const sortBy = (header) => {
    const column = header.cellIndex, down = header.getAttribute("aria-sort") === "ascending";
    const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    const numeric = rows.every((row) => value(row) !== "" && !Number.isNaN(Number(value(row))));
    const order = (a, b) => numeric ? value(a) - value(b) : value(a).localeCompare(value(b));
    rows.sort((a, b) => (down ? -order(a, b) : order(a, b)));
    table.tBodies[0].append(...rows);
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  table?.querySelectorAll("thead th:not(.plain)").forEach((header) => {
    // Not a <button>: browsers leave those out of the header that they repeat on every printed page.
    const button = make("span");
    button.setAttribute("role", "button");
    button.tabIndex = 0;
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(header));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sortBy(header);
    });
    header.append(button);
  });
  const count = () => {
    const shown = rows.filter((row) => visible(row)).length;
    const all = `${rows.length} ${rows.length === 1 ? "event" : "events"}`;
    byId("shown").textContent = shown === rows.length ? all : `${shown} of ${all}`;
    const seen = markers.filter(visible);
    if (seen.length && !seen.some((marker) => marker.tabIndex === 0)) reach(seen[0]);
  };
  document.querySelectorAll(".filters input").forEach((box) => box.addEventListener("change", count));
  window.addEventListener("beforeprint", () => setZoom(1));

  setZoom(1);
  count();
  fromHash();
})();
