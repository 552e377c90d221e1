class Network(Layers):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits."""

    def forward(self, x):
        for block in range(len(self.model["block_channels"])):
            for conv in range(self.model["convs_per_block"]):
                x = F.relu(self.conv_norm(x, f"blocks.{block}.convs.{conv}"))
            x = F.max_pool2d(x, 2) if min(x.shape[2:]) >= 4 else x
        x = F.relu(self.linear(x.flatten(1), "hidden")) if self.model["d_hidden"] else x.mean((2, 3))
        return self.linear(x, "output")
