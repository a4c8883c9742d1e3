package data

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

func TestRawCatalog(t *testing.T) {
	var names []string
	for _, e := range official(environment(nil)).raw {
		names = append(names, e.shape.Name)
		if len(e.files) != 1 || len(e.files[0].sha256) != 64 || e.files[0].size == 0 {
			t.Errorf("%s has the files %v", e.shape.Name, e.files)
		}
		for _, d := range e.sources[0].downloads {
			if !reflect.DeepEqual(d.holds, namesOf(e.files)) || d.unpack == nil {
				t.Errorf("%s: %s holds %q", e.shape.Name, d.url, d.holds)
			}
		}
	}
	if want := []string{"newsgroups", "har", "creditcard"}; !slices.Equal(names, want) {
		t.Errorf("the sets are %q instead of %q", names, want)
	}
}

// A shelf's library has the files of a source, and counts a source without files as embedded.
func TestShelfLibrary(t *testing.T) {
	status := func(name string) Status {
		return Status{Name: name, Height: 1, Width: 1, Channels: 3, Classes: 2, Train: 8, Test: 2, Numbers: true}
	}
	shelf := Shelf{Dir: t.TempDir(), Sources: []Source{{Status: status("har")}, {Status: status("made up")}}}
	all, err := shelf.List()
	must(err)
	for name, want := range map[string]State{"har": Absent, "made up": BuiltIn, "digits": BuiltIn} {
		i := slices.IndexFunc(all, func(s Status) bool { return s.Name == name })
		if i < 0 || all[i].State != want {
			t.Errorf("%s is listed as %+v", name, all)
		} else if name != "digits" && (all[i].Channels != 3 || all[i].Train != 8) {
			t.Errorf("%s is listed as %+v", name, all[i])
		}
	}
	must(shelf.Fetch(t.Context(), "made up", FetchOptions{}))
	must(shelf.Verify(t.Context(), "made up"))
	if err := shelf.Verify(t.Context(), "har"); !errors.Is(err, ErrMissing) {
		t.Errorf("verify har: %v", err)
	}
	if err := (Shelf{}).Verify(t.Context(), "har"); err == nil || !strings.Contains(err.Error(), "there is no dataset") {
		t.Errorf("without sources: %v", err)
	}
}

// The same texts give the same file, in whatever order and however they were packed: those for
// training first.
func TestUnpackNewsgroups(t *testing.T) {
	texts := map[string][]byte{
		"20news-bydate-test/b/1": []byte("one"), "20news-bydate-train/b/10": []byte("\xe9"),
		"20news-bydate-train/b/9": nil, "20news-bydate-train/a/7": []byte("seven"),
	}
	zipped := tarOf("", texts)
	var compressed bytes.Buffer
	writer, err := xz.NewWriter(&compressed)
	must(err)
	unzipped, err := gzip.NewReader(bytes.NewReader(zipped))
	must(err)
	_, err = io.Copy(writer, unzipped)
	must(errors.Join(err, writer.Close()))
	fromGzip, err := collect(t, unpackNewsgroups, "texts.tar.gz", zipped)
	must(err)
	fromXZ, err := collect(t, unpackNewsgroups, "texts.tar.xz", compressed.Bytes())
	must(err)
	if !reflect.DeepEqual(fromGzip, fromXZ) || len(fromGzip) != 1 {
		t.Error("gzip and xz give different files")
	}
	var names []string
	content := fromGzip["20news-bydate.tar"]
	for at := 0; at < len(content) && content[at] != 0; { // blocks of 512 bytes: a header with the name, the text
		name := string(content[at:][:bytes.IndexByte(content[at:], 0)])
		names = append(names, name)
		text := texts[name]
		if !bytes.HasPrefix(content[at+512:], text) {
			t.Errorf("%s has another text", name)
		}
		at += 512 + (len(text)+511)/512*512
	}
	if want := []string{"20news-bydate-train/a/7", "20news-bydate-train/b/10", "20news-bydate-train/b/9", "20news-bydate-test/b/1"}; !slices.Equal(names, want) {
		t.Errorf("the order is %q instead of %q", names, want)
	}
	for _, broken := range [][]byte{nil, []byte("<html>"), zipped[:len(zipped)/2], compressed.Bytes()[:compressed.Len()/2]} {
		if _, err := collect(t, unpackNewsgroups, "texts.tar.gz", broken); err == nil {
			t.Errorf("%d bytes of a broken archive give no error", len(broken))
		}
	}
}

// A set of one file is taken from the file or from an archive of it, and File reads it.
func TestRawFile(t *testing.T) {
	content := []byte("the official file")
	sum := sha256.Sum256(content)
	raw := []entry{rawEntry("plain",
		file{name: "plain.csv", size: int64(len(content)), sha256: hex.EncodeToString(sum[:])},
		source{name: "nowhere"}, download{archive: "plain.zip", unpack: unpackZip})}
	l := library{entries: raw, raw: raw}
	for name, archive := range map[string][]byte{"plain.csv": content, "plain.zip": zipOf("in a folder/", map[string][]byte{"plain.csv": content})} {
		t.Run(name, func(t *testing.T) {
			from, dir := filepath.Join(t.TempDir(), name), t.TempDir()
			writeFile(t, from, archive)
			if _, err := l.file(t.Context(), dir, "plain"); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "diaghess data fetch plain") {
				t.Errorf("before it is fetched: %v", err)
			}
			must(l.fetch(t.Context(), dir, "plain", FetchOptions{From: from}))
			if got, err := l.file(t.Context(), dir, "plain"); err != nil || !bytes.Equal(got, content) {
				t.Errorf("it is %q, %v", got, err)
			}
			must(l.verify(t.Context(), dir, "plain"))
			writeFile(t, filepath.Join(dir, "plain", "plain.csv"), []byte("another file here"))
			var wrong *IntegrityError
			if _, err := l.file(t.Context(), dir, "plain"); !errors.As(err, &wrong) {
				t.Errorf("another content: %v", err)
			}
		})
	}
}
