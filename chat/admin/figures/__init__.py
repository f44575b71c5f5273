"""Pages of figures: how tools do, and what people and models use."""
