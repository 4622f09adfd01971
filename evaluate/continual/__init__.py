"""Class-incremental learning with synthetic sets as the memory of classes seen before."""
