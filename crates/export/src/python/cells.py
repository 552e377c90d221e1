def positions(x):
    """Column and row of each cell, [1, cells, 2]."""
    rows, columns = torch.meshgrid(*[torch.arange(side) for side in x.shape[2:]], indexing="ij")
    return torch.stack([columns, rows], -1).reshape(1, -1, 2).to(x)


def cells(x):
    return x.flatten(2).transpose(1, 2)
