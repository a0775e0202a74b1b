# A copy of python-shim/comfyui/values.py, made by `npm run generate`.
"""Whether the numbers in a tensor are an image: what is none must not be cut to one in silence."""

from __future__ import annotations

#: Enlarging with cubic filters overshoots, at most to here. What lies further out belongs to another scale.
_FAR_LOW, _FAR_HIGH = -0.5, 1.5
#: Share of such values from which the scale is another one; less are lights that the file will cut off, too.
_FAR_SHARE = 0.001
#: Beyond 0..1 by less than half a level of 8 bits nothing is lost.
_HALF_LEVEL = 0.5 / 255


class Values:
    """What is to be said about the values of an array in floating point."""

    def __init__(self, array):
        import numpy

        self.low = float(array.min())  # NaN wins
        self.high = float(array.max())
        self._size = array.size
        self._array = array
        self._numpy = numpy

    def fault(self) -> str | None:
        """Why there is no image in it; None when there is one."""
        if not self._numpy.isfinite([self.low, self.high]).all():
            return self._bad_numbers()
        if self.low >= _FAR_LOW and self.high <= _FAR_HIGH:
            return None
        far = self._share(_FAR_LOW, _FAR_HIGH)
        return self.range if far > _FAR_SHARE else None

    def note(self) -> str | None:
        """What was cut off, as the saved file has it; None when it is nothing."""
        if self.low >= -_HALF_LEVEL and self.high <= 1 + _HALF_LEVEL:
            return None
        share = self._share(-_HALF_LEVEL, 1 + _HALF_LEVEL)
        return f"{share:.1%} of its values lie outside 0 to 1 ({self.range}) and were cut off, as Save Image does"

    @property
    def range(self) -> str:
        return f"from {self.low:.2f} to {self.high:.2f}"

    def _share(self, low: float, high: float) -> float:
        outside = (self._array < low) | (self._array > high)
        return self._numpy.count_nonzero(outside) / self._size

    def _bad_numbers(self) -> str:
        nan = self._numpy.count_nonzero(self._numpy.isnan(self._array))
        infinite = self._numpy.count_nonzero(self._numpy.isinf(self._array))
        counts = [(nan, "NaN"), (infinite, "infinite")]
        found = ", ".join(f"{count} {what}" for count, what in counts if count)
        return f"{found} among its {self._size} values"
