"""How the documentation is built: ``python -m sphinx docs docs/_build``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
# The pages are written from the code of this checkout, whatever else is installed.
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from referrald import __version__  # noqa: E402

project = "referrald"
copyright = "The referrald authors"
release = version = __version__

extensions = ["myst_parser", "generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_ext", "examples", "reference/generated"]

html_theme = "furo"
html_title = f"referrald {release}"
html_show_sphinx = False
html_copy_source = False
