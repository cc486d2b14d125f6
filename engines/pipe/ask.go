package pipe

import (
	"encoding/json"
	"errors"
)

// Refusal is what the client answered to a question that it cannot or may not answer.
type Refusal struct{ Message string }

func (r *Refusal) Error() string { return r.Message }

// Ask puts a question to the client that no file answers, and decodes what it is told. A *Refusal leaves the pipe sound.
func (f *Files) Ask(kind string, question, told any) error {
	if f.broken != nil {
		return f.broken
	}
	message := struct {
		Type     string `json:"type"`
		ID       uint64 `json:"id"`
		Kind     string `json:"kind"`
		Question any    `json:"question"`
	}{"ask", f.id, kind, question}
	if err := f.conn.Send(message); err != nil {
		return f.fail(err)
	}
	var answer struct {
		Type  string          `json:"type"`
		ID    uint64          `json:"id"`
		Told  json.RawMessage `json:"told"`
		Error string          `json:"error"`
	}
	if _, err := f.conn.Receive(&answer); err != nil {
		return f.fail(err)
	}
	if answer.Type != "told" || answer.ID != f.id {
		return f.fail(errors.New("expected what is told about this request"))
	}
	if answer.Error != "" {
		return &Refusal{answer.Error}
	}
	return json.Unmarshal(answer.Told, told)
}
