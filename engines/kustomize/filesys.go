package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"trueup.dev/engines/pipe"
)

// mount is where the library sees the Snapshot's root. Anything that leaves it leads outside the repository. A remote
// base cannot name it, for it cannot know it.
var mount = "/.snapshot-" + unguessable()

var errReadOnly = errors.New("the repository is read-only here")

// snapshotFS is kustomize's file system over the pipe, with a few files of ours laid over it.
type snapshotFS struct {
	files   *pipe.Files
	overlay map[string][]byte // by path relative to the root
	read    map[string][]byte // every file that was read, with links followed
	// What the lenient reading of the path's own file passed over.
	passedOver []skipped
	refused    *pipe.Problem // the first path that leads outside, is too large, ...
	remotes    *remotes
}

var _ filesys.FileSystem = (*snapshotFS)(nil)

func newSnapshotFS(files *pipe.Files, given []remote) *snapshotFS {
	return &snapshotFS{files: files, overlay: map[string][]byte{}, read: map[string][]byte{}, remotes: newRemotes(given)}
}

func mounted(rel string) string { return filepath.Join(mount, rel) }

// at gives where the library sees a path on the pipe.
func (s *snapshotFS) at(rel string) string {
	if place, ok := s.remotes.placeOf(rel); ok {
		return place
	}
	return mounted(rel)
}

// rel gives the path below the root ("" for the root itself).
func (s *snapshotFS) rel(name string) (string, error) {
	clean := filepath.Clean(name)
	if clean == mount {
		return "", nil
	}
	if below, ok := strings.CutPrefix(clean, mount+"/"); ok {
		return below, nil
	}
	if inside, ok := s.remotes.rel(clean); ok {
		return inside, nil
	}
	return "", s.refuse(&pipe.Problem{
		Code:    "OutsideRepository",
		Message: fmt.Sprintf("the path %s leads outside the repository", clean),
		Hint:    "copy the file into the repository; nothing outside it can be read",
	})
}

func (s *snapshotFS) refuse(problem *pipe.Problem) error {
	if s.refused == nil {
		s.refused = problem
	}
	return problem
}

func (s *snapshotFS) look(name string, list bool) (*pipe.File, error) {
	rel, err := s.rel(name)
	if err != nil {
		return nil, err
	}
	if data, ok := s.overlay[rel]; ok {
		return &pipe.File{Path: rel, Is: pipe.IsFile, At: rel, Data: data}, nil
	}
	file, err := s.files.Look(rel, list)
	if err != nil {
		return nil, err
	}
	if file.Is == pipe.IsRefused {
		return nil, s.refuse(&pipe.Problem{Code: "Refused", Message: file.Why, Path: rel})
	}
	return file, nil
}

func (s *snapshotFS) found(name string, list bool) (*pipe.File, error) {
	file, err := s.look(name, list)
	if err == nil && file.Is == pipe.IsAbsent {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return file, err
}

func (s *snapshotFS) ReadFile(name string) ([]byte, error) {
	file, err := s.found(name, false)
	if err != nil {
		return nil, err
	}
	if file.Is != pipe.IsFile {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	if _, ours := s.overlay[file.Path]; !ours {
		if _, again := s.read[file.At]; !again {
			if problem := checkAliases(file.Data); problem != nil {
				problem.Path = file.At
				return nil, s.refuse(problem)
			}
			s.read[file.At] = file.Data
		}
		if isKustomization(path.Base(file.At)) {
			return s.remotes.localised(s, file.Data, path.Dir(s.at(file.At)), file.At), nil
		}
	}
	return file.Data, nil
}

func (s *snapshotFS) Exists(name string) bool {
	file, err := s.look(name, false)
	return err == nil && file.Is != pipe.IsAbsent
}

func (s *snapshotFS) IsDir(name string) bool {
	file, err := s.look(name, false)
	return err == nil && file.Is == pipe.IsDirectory
}

// CleanedAbs gives the directory and the file name with links followed, as the library's own file systems do.
func (s *snapshotFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	file, err := s.found(name, false)
	if err != nil {
		return "", "", err
	}
	if file.Is == pipe.IsDirectory {
		return filesys.ConfirmedDir(s.at(file.At)), "", nil
	}
	dir, base := path.Split(file.At)
	return filesys.ConfirmedDir(s.at(strings.TrimSuffix(dir, "/"))), base, nil
}

func (s *snapshotFS) ReadDir(name string) ([]string, error) {
	file, err := s.found(name, true)
	if err != nil {
		return nil, err
	}
	if file.Is != pipe.IsDirectory {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	names := make([]string, 0, len(file.Names))
	for _, entry := range file.Names {
		names = append(names, entry.Name)
	}
	return names, nil
}

// The library lists, opens and writes nothing during a build without plugins; what it does not use is refused.

func (s *snapshotFS) Glob(pattern string) ([]string, error) {
	return nil, fmt.Errorf("glob %q: not offered by this engine", pattern)
}

func (s *snapshotFS) Walk(name string, _ filepath.WalkFunc) error {
	return fmt.Errorf("walk %q: not offered by this engine", name)
}

func (s *snapshotFS) Open(name string) (filesys.File, error) {
	return nil, fmt.Errorf("open %q: not offered by this engine", name)
}

func (s *snapshotFS) Create(string) (filesys.File, error) { return nil, errReadOnly }
func (s *snapshotFS) Mkdir(string) error                  { return errReadOnly }
func (s *snapshotFS) MkdirAll(string) error               { return errReadOnly }
func (s *snapshotFS) RemoveAll(string) error              { return errReadOnly }
func (s *snapshotFS) WriteFile(string, []byte) error      { return errReadOnly }
