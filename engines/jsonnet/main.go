// The jsonnet engine: the official library behind a pipe. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("jsonnet", "github.com/google/go-jsonnet", map[string]pipe.Handler{"evaluate": evaluate})
}
