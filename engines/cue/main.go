// The cue engine: the official library behind a pipe. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("cue", "cuelang.org/go", map[string]pipe.Handler{"export": export})
}
