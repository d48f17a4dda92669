"""Phase diagrams: sweeps over two axes, with the lines that theory draws on them."""
