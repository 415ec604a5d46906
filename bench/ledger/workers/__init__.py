"""Programs that are measured: `bench.crew` starts them, and `bench.turns` is the loop in each."""
