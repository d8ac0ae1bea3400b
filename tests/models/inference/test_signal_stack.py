from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NO_STACK = 2
"""Linux's SS_DISABLE: handlers run on the thread's ordinary stack."""
AFTER_USE = """
import ctypes
import numpy as np
from models.segmenter import Segmenter
segmenter = Segmenter.open("csnet-x1", backend="openvino", device="cpu")
segmenter.segment([np.zeros((256, 256), np.uint8)])
class Stack(ctypes.Structure):
    _fields_ = [("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
stack = Stack()
ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
print(stack.flags)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's signal stacks")
def test_openvino_leaves_no_signal_stack_that_handlers_would_overflow() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", AFTER_USE],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert int(answer.stdout) == NO_STACK
