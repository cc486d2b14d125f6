// The kustomize engine: the official library behind a pipe. It has no logic of its own about what manifests mean; it
// opens no file, no socket and no other program. See ../PROTOCOL.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"

	"trueup.dev/engines/pipe"
)

func main() {
	memory := flag.Int64("memory", 0, "end when more than this many bytes are in use")
	parent := flag.Int("parent", os.Getppid(), "end when the parent is no longer the process of this id")
	version := flag.Bool("version", false, "print the version of the library and end")
	flag.Parse()
	if *version {
		fmt.Println(libraryVersion())
		return
	}
	os.Clearenv() // no PATH, so the library finds no git, helm or docker; no credentials; generators see no variables
	http.DefaultTransport = noNetwork{}
	log.SetOutput(io.Discard)
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	debug.SetGCPercent(400)
	pipe.Guard(*memory)
	go pipe.EndWith(*parent)
	conn := pipe.NewConn(os.Stdin, os.Stdout)
	err := pipe.Serve(conn, "kustomize", libraryVersion(), map[string]pipe.Handler{
		"build": build,
		"read":  read,
		"parse": parse,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// noNetwork refuses every request that the library might make.
type noNetwork struct{}

var errNoNetwork = errors.New("the engine has no network")

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoNetwork }

// libraryVersion is of the kustomize library, so that a cache never mixes what two versions render.
func libraryVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == "sigs.k8s.io/kustomize/api" {
			return module.Version
		}
	}
	return "unknown"
}
