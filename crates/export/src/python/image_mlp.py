class Network(Layers):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits."""

    def forward(self, x):
        return self.mlp(x.flatten(1))
