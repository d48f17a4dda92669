"""Many questions under one policy: who shares parameters, and what is paid jointly."""
