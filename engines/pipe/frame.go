// Package pipe is what every engine shares: frames over stdin and stdout, the loop that serves requests one after
// another, the files of a Snapshot read through the pipe, and the guard on memory. See ../PROTOCOL.md.
package pipe

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Limits on one frame, so that a broken peer cannot make us allocate without end.
const (
	MaxHeader = 256 << 20
	MaxBlob   = 256 << 20
)

// A Conn carries frames: two big-endian uint32 (length of header, length of blob), a JSON header, and raw bytes.
type Conn struct {
	in  *bufio.Reader
	out *bufio.Writer
}

// NewConn reads frames from in and writes them to out.
func NewConn(in io.Reader, out io.Writer) *Conn {
	return &Conn{in: bufio.NewReaderSize(in, 256<<10), out: bufio.NewWriterSize(out, 256<<10)}
}

// Receive reads one frame; io.EOF when the peer closed the pipe between frames.
func (c *Conn) Receive(header any) ([]byte, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(c.in, prefix[:]); err != nil {
		return nil, err
	}
	headerSize, blobSize := binary.BigEndian.Uint32(prefix[:4]), binary.BigEndian.Uint32(prefix[4:])
	if headerSize > MaxHeader || blobSize > MaxBlob {
		return nil, fmt.Errorf("frame of %d + %d bytes is over the limit", headerSize, blobSize)
	}
	body := make([]byte, int(headerSize)+int(blobSize))
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body[:headerSize], header); err != nil {
		return nil, fmt.Errorf("frame header: %w", err)
	}
	return body[headerSize:], nil
}

// Send writes one frame and flushes it.
func (c *Conn) Send(header any) error {
	body, err := json.Marshal(header)
	if err != nil {
		return err
	}
	if len(body) > MaxHeader {
		return fmt.Errorf("answer of %d bytes is over the limit", len(body))
	}
	var prefix [8]byte
	binary.BigEndian.PutUint32(prefix[:4], uint32(len(body)))
	if _, err := c.out.Write(prefix[:]); err != nil {
		return err
	}
	if _, err := c.out.Write(body); err != nil {
		return err
	}
	return c.out.Flush()
}
