class Network(Layers):
    """Images, normalized as `config["normalize"]` says, to boxes in pixels and scores of every cell."""

    def forward(self, x):
        relu, up = lambda x, layer, s=1: F.relu(self.conv_norm(x, layer, s)), lambda x: F.interpolate(x, scale_factor=2)
        x, maps = relu(x, "stem", 2), []
        for stage in range(4):
            x, index = relu(x, f"stages.{stage}.down", 2), 0
            while f"stages.{stage}.blocks.{index}.first.conv.weight" in self:
                block, index = f"stages.{stage}.blocks.{index}", index + 1
                x = F.relu(x + self.conv_norm(relu(x, f"{block}.first"), f"{block}.second"))
            maps.append(x)
        fine, middle, coarse = [relu(maps[at + 1], f"neck.lateral.{at}") for at in range(3)]
        middle = relu(middle + up(coarse), "neck.up.0")
        fine = relu(fine + up(middle), "neck.up.1")
        middle = relu(middle + relu(fine, "neck.down.0", 2), "neck.out.0")
        coarse = relu(coarse + relu(middle, "neck.down.1", 2), "neck.out.1")
        boxes, scores = [], []
        for at, (x, stride) in enumerate([(fine, 8), (middle, 16), (coarse, 32)]):
            for conv in range(self.model["head_convs"]):
                x = relu(x, f"heads.{at}.convs.{conv}")
            shares = cells(self.conv(x, f"heads.{at}.distances")).unflatten(2, (4, -1)).softmax(3)
            distances = (shares * torch.arange(shares.shape[3]).to(x)).sum(3)
            center = positions(x) + 0.5
            boxes.append(stride * torch.cat([center - distances[..., :2], center + distances[..., 2:]], 2))
            scores.append(cells(self.conv(x, f"heads.{at}.classes")).sigmoid())
        return torch.cat(boxes, 1), torch.cat(scores, 1)
