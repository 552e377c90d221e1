class Network(Layers):
    """Ids, mask (1 for tokens, 0 for padding) and types of `tokenizer.json`, [batch, seq], to logits."""

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        bert = self.model["network"]["bert"]
        x = F.embedding(input_ids, self.w("bert.tokens.weight"))
        x = x + self.w("bert.positions.weight")[: x.shape[1]]
        if bert["type_vocab_size"]:
            types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
            x = x + F.embedding(types, self.w("bert.types.weight"))
        norm = lambda x, layer: self.layer_norm(x, layer, bert["epsilon"])
        x, mask = norm(x, "bert.norm"), attention_mask[:, None, None].bool()
        for index in range(bert["n_layers"]):
            name = f"bert.layers.{index}"
            y = self.attention(x, x, f"{name}.attention", bert["n_heads"], mask)
            x = norm(x + y, f"{name}.attention_norm")
            y = self.activation(self.linear(x, f"{name}.feed_forward.up"), bert["activation"])
            x = norm(x + self.linear(y, f"{name}.feed_forward.down"), f"{name}.feed_forward_norm")
        if self.config["task"] == "token-classification":
            return self.linear(x, "head")
        x = self.activation(self.linear(x[:, 0], "pooler"), self.model["network"]["head_activation"])
        return self.linear(x, "head")
