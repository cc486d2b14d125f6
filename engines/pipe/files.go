package pipe

import (
	"errors"
	"fmt"
)

// The kinds of thing that can stand at a path of the Snapshot.
const (
	IsFile      = "file"
	IsDirectory = "directory"
	IsAbsent    = "absent"
	IsRefused   = "refused" // outside the root, too large, a loop of links: Why says so
)

// Name is one row of a listing. Links are followed, or left out when they lead nowhere.
type Name struct {
	Name string `json:"name"`
	Is   string `json:"is"`
}

// File is what stands at a path. At is the path with links followed. The bytes of files follow in the frame's blob.
type File struct {
	Path  string `json:"path"`
	Is    string `json:"is"`
	At    string `json:"at,omitempty"`
	Size  int    `json:"size,omitempty"`
	Why   string `json:"why,omitempty"`
	Names []Name `json:"names,omitempty"`
	// Listed says that Names is the whole listing (which may be empty).
	Listed bool `json:"listed,omitempty"`

	Data []byte `json:"-"`
}

// Files is the Snapshot as one request sees it. Each path is asked for once; every look is noted.
type Files struct {
	conn   *Conn
	id     uint64
	known  map[string]*File
	noted  map[Look]bool
	looked []Look
	broken error
}

func newFiles(conn *Conn, id uint64) *Files {
	return &Files{conn: conn, id: id, known: map[string]*File{}, noted: map[Look]bool{}}
}

// Look says what stands at a path (relative to the root, cleaned, "" for the root); with list, also the names in it.
func (f *Files) Look(path string, list bool) (*File, error) {
	file, ok := f.known[path]
	if !ok || (list && file.Is == IsDirectory && !file.Listed) {
		if err := f.ask(path, list); err != nil {
			return nil, err
		}
		if file, ok = f.known[path]; !ok {
			return nil, f.fail(fmt.Errorf("the answer does not speak of %q", path))
		}
	}
	look := Look{Path: path, List: list && file.Is == IsDirectory}
	if !f.noted[look] {
		f.noted[look] = true
		f.looked = append(f.looked, look)
	}
	return file, nil
}

func (f *Files) ask(path string, list bool) error {
	if f.broken != nil {
		return f.broken
	}
	question := struct {
		Type string `json:"type"`
		ID   uint64 `json:"id"`
		Look
	}{"look", f.id, Look{path, list}}
	if err := f.conn.Send(question); err != nil {
		return f.fail(err)
	}
	var found struct {
		Type  string `json:"type"`
		ID    uint64 `json:"id"`
		Files []File `json:"files"`
	}
	blob, err := f.conn.Receive(&found)
	if err != nil {
		return f.fail(err)
	}
	if found.Type != "found" || found.ID != f.id {
		return f.fail(errors.New("expected what was found for this request"))
	}
	return f.add(found.Files, blob)
}

func (f *Files) add(files []File, blob []byte) error {
	for i := range files {
		file := &files[i]
		if file.Is == IsFile {
			if file.Size > len(blob) {
				return f.fail(errors.New("the frame holds fewer bytes than it says"))
			}
			file.Data, blob = blob[:file.Size:file.Size], blob[file.Size:]
		}
		f.known[file.Path] = file
	}
	return nil
}

// fail notes that the pipe itself is broken: nothing sensible can be answered any more.
func (f *Files) fail(err error) error {
	f.broken = err
	return err
}
