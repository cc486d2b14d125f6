package pipe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
)

// Protocol is the version of PROTOCOL.md that this code speaks.
const Protocol = 1

// Hello is the first frame that an engine sends.
type Hello struct {
	Type     string `json:"type"`
	Protocol int    `json:"protocol"`
	Engine   string `json:"engine"`
	Version  string `json:"version"`
}

// Request is one piece of work. Files are sent along because the peer expects that they will be asked for.
type Request struct {
	Type   string          `json:"type"`
	ID     uint64          `json:"id"`
	Kind   string          `json:"kind"`
	Params json.RawMessage `json:"params"`
	Files  []File          `json:"files"`
}

// Look is one look at the Snapshot that the answer depended on.
type Look struct {
	Path string `json:"path"`
	List bool   `json:"list,omitempty"`
}

// Answer ends a request: with a result or with an error, and always with every look that was made.
type Answer struct {
	Type   string   `json:"type"`
	ID     uint64   `json:"id"`
	Result any      `json:"result,omitempty"`
	Error  *Problem `json:"error,omitempty"`
	Looked []Look   `json:"looked,omitempty"`
	Retire bool     `json:"retire,omitempty"`
}

// Problem is an error for a person: what is wrong, where, and what to try.
type Problem struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Path    string  `json:"path,omitempty"`
	Line    int     `json:"line,omitempty"`
	Column  int     `json:"column,omitempty"`
	Hint    string  `json:"hint,omitempty"`
	Places  []Place `json:"places,omitempty"`
	Needs   []Need  `json:"needs,omitempty"`
}

// Need is something outside the Snapshot that the request may have failed for: once it is fetched, ask again with it.
type Need struct {
	Text      string `json:"text"`
	Path      string `json:"path,omitempty"`
	Line      int    `json:"line,omitempty"`
	Directory bool   `json:"directory,omitempty"`
	// Chart is set where it is a chart of a Helm repository.
	Chart *NeededChart `json:"chart,omitempty"`
}

// NeededChart is a chart by its name and a range of versions.
type NeededChart struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
}

// Place is a file and the 1-based line and column in it.
type Place struct {
	Path   string `json:"path"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func (p *Problem) Error() string { return p.Message }

// Handler does one kind of request. Retire asks for a fresh process afterwards.
type Handler func(params json.RawMessage, files *Files) (result any, retire bool, err error)

// Serve answers requests one after another until the peer closes the pipe.
func Serve(conn *Conn, engine, version string, handlers map[string]Handler) error {
	if err := conn.Send(Hello{Type: "hello", Protocol: Protocol, Engine: engine, Version: version}); err != nil {
		return err
	}
	for {
		var request Request
		blob, err := conn.Receive(&request)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if request.Type != "request" {
			return fmt.Errorf("expected a request, got %q", request.Type)
		}
		files := newFiles(conn, request.ID)
		answer := Answer{Type: "answer", ID: request.ID}
		if err := files.add(request.Files, blob); err != nil {
			return err
		}
		answer.Result, answer.Retire, err = run(handlers, &request, files)
		if files.broken != nil {
			return files.broken
		}
		if err != nil {
			answer.Result, answer.Error = nil, asProblem(err)
		}
		answer.Looked = files.looked
		if err := conn.Send(answer); err != nil {
			return err
		}
	}
}

// run turns a panic of a library into an error of this request and asks for a fresh process.
func run(handlers map[string]Handler, request *Request, files *Files) (result any, retire bool, err error) {
	handler, known := handlers[request.Kind]
	if !known {
		return nil, false, &Problem{Code: "UnknownRequest", Message: fmt.Sprintf("unknown kind of request %q", request.Kind)}
	}
	defer func() {
		if cause := recover(); cause != nil {
			debug.PrintStack()
			result, retire = nil, true
			err = &Problem{Code: "Panic", Message: fmt.Sprintf("the library failed on this input: %v", cause)}
		}
	}()
	return handler(request.Params, files)
}

func asProblem(err error) *Problem {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem
	}
	return &Problem{Code: "Failed", Message: err.Error()}
}
