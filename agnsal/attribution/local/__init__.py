"""Maps of one spectrum: gradients, paths of gradients, experiments on windows."""
