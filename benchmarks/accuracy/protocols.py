"""What images a figure is of: figures of two protocols never stand in one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.data.folders import Sample
from models.data.sources import folder_sources, with_noise
from models.data.steps.noise import GaussianNoise, Noise, SaltAndPepper

TEST_FOLDER = Path("sd-saliency-900") / "test"


@dataclass(frozen=True)
class Protocol:
    """A set of images, as networks see it, and how those networks were trained.

    Attributes:
        key: names the folder of its evaluations.
        title: for a table of its own; empty where a protocol is only a column of the table of noise.
        noise: on every image; None for none.
        narrow: of networks of a narrow recipe, which compare with one another alone.
        level: heads its column in the table of noise; empty where it is none.
    """

    key: str
    title: str
    noise: Noise | None = None
    narrow: bool = False
    level: str = ""

    def samples(self, data: Path) -> list[Sample]:
        """The images with their masks.

        Args:
            data: the data folder; holds `sd-saliency-900/test`.

        Raises:
            DatasetError: they are not there, or cannot be read.
        """
        sources = folder_sources(data / TEST_FOLDER)
        if self.noise is not None:
            sources = with_noise(sources, self.noise)
        return [source.load() for source in sources]


_GAUSSIAN, _SALT_AND_PEPPER = GaussianNoise(sigma=0.1), SaltAndPepper(share=0.1)
_SIDE_BY_SIDE = "Side by side at equal steps, 180 public test images"

PROTOCOLS = (
    Protocol("disjoint-180", "Trained on the 540 training images, 180 public test images", level="none"),
    Protocol("gaussian-0.05", "", GaussianNoise(sigma=0.05), level="g 5"),
    Protocol("gaussian-0.1", "The same images under Gaussian noise, sigma 0.1", _GAUSSIAN, level="g 10"),
    Protocol("gaussian-0.2", "", GaussianNoise(sigma=0.2), level="g 20"),
    Protocol("salt-and-pepper-0.05", "", SaltAndPepper(share=0.05), level="s 5"),
    Protocol(
        "salt-and-pepper-0.1", "The same images with 10 % salt and pepper", _SALT_AND_PEPPER, level="s 10"
    ),
    Protocol("salt-and-pepper-0.2", "", SaltAndPepper(share=0.2), level="s 20"),
    Protocol("narrow", _SIDE_BY_SIDE, narrow=True),
    Protocol("narrow-gaussian-0.1", f"{_SIDE_BY_SIDE}, Gaussian noise, sigma 0.1", _GAUSSIAN, narrow=True),
    Protocol(
        "narrow-salt-and-pepper-0.1", f"{_SIDE_BY_SIDE}, 10 % salt and pepper", _SALT_AND_PEPPER, narrow=True
    ),
)
