"""What has to be settled before any test is imported."""

import os

# SciPy reads it once, when it is imported; without it scikit-learn skips some of its checks.
os.environ["SCIPY_ARRAY_API"] = "1"
