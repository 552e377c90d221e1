class Network(Layers):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits."""

    def forward(self, x):
        last = self.model["convs_per_block"] - 1
        pooled_after = 0 if self.model.get("early_pooling") else last
        for block in range(len(self.model["block_channels"])):
            pooled = min(x.shape[2:]) >= 4
            for conv in range(last + 1):
                x = F.relu(self.conv_norm(x, f"blocks.{block}.convs.{conv}"))
                x = F.max_pool2d(x, 2) if pooled and conv == pooled_after else x
        x = F.relu(self.linear(x.flatten(1), "hidden")) if self.model["d_hidden"] else x.mean((2, 3))
        return self.linear(x, "output")
