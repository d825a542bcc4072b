"""What PyTorch's operations are slow at, in C++: a part of the package that may be missing."""
