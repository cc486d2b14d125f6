package pipe

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
)

// Main is the main function of every engine: flags, the fences around the library, then requests until the pipe ends.
// Module is the library whose version the engine names, so that a cache never mixes what two versions render.
func Main(engine, module string, handlers map[string]Handler) {
	memory := flag.Int64("memory", 0, "end when more than this many bytes are in use")
	parent := flag.Int("parent", os.Getppid(), "end when the parent is no longer the process of this id")
	version := flag.Bool("version", false, "print the version of the library and end")
	flag.Parse()
	if *version {
		fmt.Println(versionOf(module))
		return
	}
	os.Clearenv() // no PATH, so the library finds no other program; no credentials; nothing varies with variables
	http.DefaultTransport = noNetwork{}
	log.SetOutput(io.Discard)
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	debug.SetGCPercent(400)
	Guard(*memory)
	go EndWith(*parent)
	if err := Serve(NewConn(os.Stdin, os.Stdout), engine, versionOf(module), handlers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// noNetwork refuses every request that the library might make.
type noNetwork struct{}

// ErrNoNetwork is what a library hears that reaches for the network.
var ErrNoNetwork = errors.New("the engine has no network")

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, ErrNoNetwork }

func versionOf(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return "unknown"
}
