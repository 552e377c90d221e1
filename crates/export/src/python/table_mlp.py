class Network(Features):
    def forward(self, numeric, codes=None):
        return self.mlp(self.features(numeric, codes), "mlp.")
