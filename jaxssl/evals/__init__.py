"""One file for each protocol: `make(embed, *, ...) -> run(params, extra)`."""
