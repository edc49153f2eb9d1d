package remote

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// File is what a host says of a file.
type File struct {
	Size   int64  // in bytes; below 0: there is no such file
	SHA256 string // in hexadecimal digits; "": the host cannot say
}

// Sum returns what is known of content.
func Sum(content []byte) File {
	sum := sha256.Sum256(content)
	return File{int64(len(content)), hex.EncodeToString(sum[:])}
}

// Is reports whether a file is as another one, as far as both are known.
func (f File) Is(other File) bool {
	return f.Size == other.Size && (f.SHA256 == other.SHA256 || f.SHA256 == "" || other.SHA256 == "")
}

// hash says the SHA-256 of its standard input, in a shell.
const hash = `{ sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null`

// Content is what a file is to hold. It is compressed once for all hosts.
type Content struct {
	sum   File
	plain []byte
	zip   func() []byte
}

// NewContent returns these bytes as the content of a file.
func NewContent(b []byte) *Content {
	return &Content{Sum(b), b, sync.OnceValue(func() []byte {
		var zipped bytes.Buffer
		w, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
		_, _ = w.Write(b) // a buffer takes all
		_ = w.Close()
		return zipped.Bytes()
	})}
}

// Sum returns what is known of the content.
func (c *Content) Sum() File { return c.sum }

// Put writes a file on the host, readable by its user alone, with this mode: all of it,
// or none.
func (h *Host) Put(ctx context.Context, asking Asking, path string, mode uint32, content *Content, zipped bool) error {
	// Where the connection breaks, what has come looks like all of it.
	const script = `umask 077; t="$1.$$"; { if [ "$5" = gzip ]; then gzip -dc; else cat; fi; } >"$t" && [ $(wc -c <"$t") -eq "$3" ] && ` +
		`case "$(` + hash + ` <"$t")" in ""|"$4"*) ;; *) echo "what came is not what was sent" >&2; false;; esac && ` +
		`chmod "$2" "$t" && mv -f "$t" "$1" || { rm -f "$t"; exit 1; }`
	body, form := content.plain, "plain"
	if zipped {
		body, form = content.zip(), "gzip"
	}
	_, err := h.Do(ctx, asking, "write "+path, bytes.NewReader(body), script,
		path, strconv.FormatUint(uint64(mode), 8), strconv.FormatInt(content.sum.Size, 10), content.sum.SHA256, form)
	return err
}

// PutTexts writes small files of whole lines into a directory of the host, by their
// names, readable by its user alone, over one connection.
func (h *Host) PutTexts(ctx context.Context, asking Asking, dir string, files map[string][]byte) error {
	const script = `umask 077; cd "$1" || exit 1; n=0; while IFS= read -r l; do case "$l" in "file "*) f="${l#file }"; : >"$f" || exit 1; n=$((n + 1));; ` +
		`*) printf "%s\n" "${l#.}" >>"$f" || exit 1;; esac; done; [ "$n" -eq "$2" ]`
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "file %s\n", name)
		for line := range strings.Lines(string(files[name])) {
			fmt.Fprintf(&b, ".%s\n", strings.TrimRight(line, "\n"))
		}
	}
	_, err := h.Do(ctx, asking, "write into "+dir, &b, script, dir, strconv.Itoa(len(files)))
	return err
}

// Files returns what the host says of files, in their order.
func (h *Host) Files(ctx context.Context, paths ...string) ([]File, error) {
	const script = `for f do if [ -f "$f" ]; then h=$(` + hash + ` <"$f"); echo lamport $(wc -c <"$f") "${h%% *}"; else echo lamport -1; fi; done`
	out, err := h.Do(ctx, Silently, "look at its files", nil, script, paths...)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, line := range Marked(out) {
		f, err := parseFile(line)
		if err != nil {
			return nil, &Error{Host: h.name, Doing: "look at its files", Err: err}
		}
		files = append(files, f)
	}
	if len(files) != len(paths) {
		return nil, &Error{Host: h.name, Doing: "look at its files", Err: fmt.Errorf("it says something of %d of %d", len(files), len(paths))}
	}
	return files, nil
}

func parseFile(line string) (File, error) {
	size, sum, _ := strings.Cut(line, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return File{}, fmt.Errorf("%q is not a size", size)
	}
	if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
		sum = ""
	}
	return File{n, strings.ToLower(sum)}, nil
}

// Get writes to w what stands in a file from an offset on, and returns how much that
// is. After an error the rest can be got from there.
func (h *Host) Get(ctx context.Context, path string, offset int64, w io.Writer, zipped bool) (n int64, err error) {
	const script = `if [ "$3" = gzip ]; then tail -c "+$2" "$1" | gzip -1c; else exec tail -c "+$2" "$1"; fi`
	form := "plain"
	if zipped {
		form = "gzip"
	}
	doing := "read " + path
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := h.Command(ctx, Silently, script, path, strconv.FormatInt(offset+1, 10), form)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	n, copied := unzip(w, out, zipped)
	if copied.local != nil { // nobody reads on
		cancel()
		_ = cmd.Wait()
		return n, copied.local
	}
	err = cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err == nil {
		err = copied.remote
	}
	return n, h.fail(ctx, doing, cmd, stderr.Bytes(), err)
}

// failures are what can go wrong with a copy, by whose fault it is.
type failures struct{ local, remote error }

// unzip copies what comes, as far as it comes.
func unzip(w io.Writer, r io.Reader, zipped bool) (n int64, f failures) {
	if zipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return 0, failures{remote: fmt.Errorf("what came is not compressed: %w", err)}
		}
		r = z
	}
	t := &taker{w: w}
	n, err := io.Copy(t, r)
	switch {
	case t.err != nil:
		f.local = t.err
	case err != nil:
		f.remote = err
	}
	return n, f
}

// taker remembers that it could not write.
type taker struct {
	w   io.Writer
	err error
}

func (t *taker) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	if err != nil {
		t.err = err
	}
	return n, err
}
