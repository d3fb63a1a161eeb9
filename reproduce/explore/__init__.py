"""The explorer: a local page on which one turns a trained decoder's basis and watches."""
