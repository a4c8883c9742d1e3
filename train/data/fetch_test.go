package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// closed is where nobody listens, as others may on the port of a server that was closed.
const closed = "http://127.0.0.1:1"

func TestFetchTriesSourcesInOrder(t *testing.T) {
	archive := tinyArchive()
	missing := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) })
	page := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<html>please log in</html>")
	})
	target := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, archive) })
	redirecting := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, target.URL+"/elsewhere/tiny.tar.gz", http.StatusFound)
	})
	last := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, archive) })

	l := tinyLibrary(
		tinySource("closed", closed), tinySource("missing", missing.URL), tinySource("page", page.URL),
		tinySource("redirecting", redirecting.URL), tinySource("last", last.URL),
	)
	dir := t.TempDir()
	if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	for name, s := range map[string]*server{"missing": missing, "page": page, "redirecting": redirecting, "target": target} {
		if ranges, _ := s.asked(); len(ranges) != 1 {
			t.Errorf("the source %q was asked %d times instead of once", name, len(ranges))
		}
	}
	if ranges, _ := last.asked(); len(ranges) != 0 {
		t.Errorf("a source after the one that had the files was asked %d times", len(ranges))
	}
}

func TestFetchGivesUpAHostThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	mute := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { <-release })
	defer close(release)
	good := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, tinyArchive()) })
	l := tinyLibrary(tinySource("mute", mute.URL), tinySource("good", good.URL))
	l.client.http.Transport.(*http.Transport).ResponseHeaderTimeout = 3 * time.Second
	dir := t.TempDir()
	if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	if ranges, _ := mute.asked(); len(ranges) != 1 {
		t.Errorf("the host that does not answer was asked %d times", len(ranges))
	}
}

func TestFetchSaysWhatEverySourceAnswered(t *testing.T) {
	missing := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) })
	failing := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		http.Error(w, "busy", http.StatusServiceUnavailable)
	})
	folder := source{name: "package of a distribution", folder: "/nonexistent/tiny", hint: "install it"}
	l := tinyLibrary(tinySource("official site", missing.URL+"/a"), tinySource("mirror", failing.URL+"/b"),
		tinySource("registry", strings.Replace(closed, "//", "//user:secret@", 1)+"/c"), folder)
	dir := t.TempDir()
	err := l.fetch(t.Context(), dir, "tiny", FetchOptions{})
	checkContains(t, err, "fetch tiny", "train.bin, test.bin",
		"official site, "+missing.URL+"/a: HTTP status 404",
		"mirror, "+failing.URL+"/b: HTTP status 503",
		"registry, ", "connection refused",
		"/nonexistent/tiny: not there (install it)",
		"diaghess data fetch tiny --from PATH", "tiny.tar.gz")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows a password:\n%v", err)
	}
	checkNothing(t, dir)
}

func TestFetchGoesOnAfterABrokenTransfer(t *testing.T) {
	archive := tinyArchive()
	half := len(archive) / 2
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, request int) {
		if request == 1 {
			serveFirst(w, archive, half)
			panic(http.ErrAbortHandler)
		}
		serveFile(w, r, archive)
	})
	dir := t.TempDir()
	if err := tinyLibrary(tinySource("breaking", s.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	ranges, sent := s.asked()
	if want := []string{"", fmt.Sprintf("bytes=%d-", half)}; !reflect.DeepEqual(ranges, want) {
		t.Errorf("asked for the ranges %q instead of %q", ranges, want)
	}
	if sent != int64(len(archive)) {
		t.Errorf("%d bytes were sent for a file of %d", sent, len(archive))
	}
}

func TestFetchGoesOnAfterAStall(t *testing.T) {
	t.Parallel()
	archive := tinyArchive()
	half := len(archive) / 2
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, request int) {
		if request == 1 {
			serveFirst(w, archive, half)
			<-r.Context().Done() // until the client breaks off
			return
		}
		serveFile(w, r, archive)
	})
	l := tinyLibrary(tinySource("stalling", s.URL))
	l.client.stall = 3 * time.Second
	dir := t.TempDir()
	if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	if _, sent := s.asked(); sent != int64(len(archive)) {
		t.Errorf("%d bytes were sent for a file of %d", sent, len(archive))
	}
}

// stopFetch begins a fetch from s, whose first answer must end early and hang, and
// ends its context when the part has n bytes.
func stopFetch(t *testing.T, l library, dir string, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := l.fetch(ctx, dir, "tiny", FetchOptions{Progress: stopAfter{left: &n, stop: cancel}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped fetch returned %v", err)
	}
	checkContains(t, err, "the same command goes on")
}

// stopAfter calls stop when a number of bytes have come.
type stopAfter struct {
	silent
	left *int
	stop func()
}

func (s stopAfter) Add(n int) {
	if *s.left -= n; *s.left <= 0 {
		s.stop()
	}
}

func TestStoppedFetchIsTakenUpByTheNext(t *testing.T) {
	archive := tinyArchive()
	half := len(archive) / 2
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, request int) {
		if request == 1 {
			serveFirst(w, archive, half)
			<-r.Context().Done()
			return
		}
		serveFile(w, r, archive)
	})
	l := tinyLibrary(tinySource("stopped", s.URL))
	dir := t.TempDir()
	stopFetch(t, l, dir, half)
	checkNothing(t, dir)
	if found := partSize(filepath.Join(dir, "tiny.part", "tiny.tar.gz")); found != int64(half) {
		t.Errorf("the part has %d bytes instead of %d", found, half)
	}
	if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	if _, sent := s.asked(); sent != int64(len(archive)) {
		t.Errorf("%d bytes were sent for a file of %d", sent, len(archive))
	}
}

func TestFetchTakesUpFromAMirror(t *testing.T) {
	archive := tinyArchive()
	half := len(archive) / 2
	first := newServer(t, func(w http.ResponseWriter, r *http.Request, request int) {
		if request == 1 {
			serveFirst(w, archive, half)
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "gone", http.StatusGone)
	})
	mirror := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, archive) })
	dir := t.TempDir()
	l := tinyLibrary(tinySource("first", first.URL), tinySource("mirror", mirror.URL))
	if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	if _, sent := mirror.asked(); sent != int64(len(archive)-half) {
		t.Errorf("the mirror sent %d bytes where %d were lacking", sent, len(archive)-half)
	}
}

func TestFetchDoesNotKeepAWrongPart(t *testing.T) {
	archive := tinyArchive()
	half := len(archive) / 2
	whole := func(s *server) (state partState) {
		return partState{URL: s.URL, Validator: fmt.Sprintf("%q", hashOf(archive)), Total: int64(len(archive))}
	}
	cases := []struct {
		name  string
		part  []byte
		state func(s *server) partState
		// ranges are what the server must be asked for
		ranges []string
	}{
		{"altered", altered(archive[:half]), whole, []string{fmt.Sprintf("bytes=%d-", half), ""}},
		{"altered and complete", slices.Concat(altered(archive[:half]), archive[half:]), whole, []string{""}},
		{"of an older file with another ETag", altered(archive[:half]), func(s *server) partState {
			return partState{URL: s.URL, Validator: `"older"`, Total: int64(len(archive))}
		}, []string{fmt.Sprintf("bytes=%d-", half)}}, // the server answers with the whole file
		{"of a file with another size", archive[:half], func(s *server) partState {
			return partState{URL: "http://elsewhere.example", Total: int64(len(archive)) + 1}
		}, []string{fmt.Sprintf("bytes=%d-", half), ""}},
		{"longer than the file", append(bytes.Clone(archive), 0), func(s *server) partState {
			return partState{URL: s.URL, Total: -1}
		}, []string{fmt.Sprintf("bytes=%d-", len(archive)+1), ""}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, archive) })
			dir := t.TempDir()
			part := filepath.Join(dir, "tiny.part", "tiny.tar.gz")
			writeFile(t, part, c.part)
			if err := c.state(s).write(part); err != nil {
				t.Fatal(err)
			}
			if err := tinyLibrary(tinySource("good", s.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
				t.Fatal(err)
			}
			checkTiny(t, dir)
			if ranges, _ := s.asked(); !reflect.DeepEqual(ranges, c.ranges) {
				t.Errorf("asked for the ranges %q instead of %q", ranges, c.ranges)
			}
		})
	}
	t.Run("of unknown origin", func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, archive) })
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "tiny.part", "tiny.tar.gz"), altered(archive[:half]))
		if err := tinyLibrary(tinySource("good", s.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
			t.Fatal(err)
		}
		checkTiny(t, dir)
		if _, sent := s.asked(); sent != int64(len(archive)) {
			t.Errorf("%d bytes were sent for a file of %d", sent, len(archive))
		}
	})
}

func TestFetchRefusesAlteredFiles(t *testing.T) {
	contents := tinyContents()
	wrong := altered(contents["test.bin"])
	cases := []struct {
		name    string
		content []byte
		says    []string
	}{
		{"altered", wrong, []string{"test.bin in tiny.tar.gz is altered", hashOf(contents["test.bin"]), hashOf(wrong)}},
		{"truncated", wrong[:100], []string{"test.bin in tiny.tar.gz is truncated: 100 of", hashOf(contents["test.bin"]), hashOf(wrong[:100])}},
		{"longer", append(bytes.Clone(wrong), 0), []string{"test.bin in tiny.tar.gz is longer", hashOf(contents["test.bin"])}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			archive := tarOf("tiny-bin/", map[string][]byte{"test.bin": c.content})
			s := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, archive) })
			dir := t.TempDir()
			err := tinyLibrary(tinySource("altered", s.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{})
			// Both hashes of the archive are said, too.
			checkContains(t, err, append(c.says, hashOf(archive), hashOf(tinyArchive()))...)
			var wrong *IntegrityError
			if !errors.As(err, &wrong) || wrong.WantSHA256 != hashOf(contents["test.bin"]) {
				t.Errorf("no IntegrityError in the chain, or another one: %v", wrong)
			}
			checkNothing(t, dir)
			if ranges, _ := s.asked(); len(ranges) != 1 {
				t.Errorf("a wrong file was fetched %d times from the same source", len(ranges))
			}
			if partSize(filepath.Join(dir, "tiny.part", "tiny.tar.gz")) != 0 {
				t.Error("the wrong archive was kept")
			}
		})
	}
}

// slowServer sends content in 50 pieces, with a pause before each.
func slowServer(t *testing.T, content []byte, pause time.Duration) *server {
	return newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("Range") != "" {
			serveFile(w, r, content)
			return
		}
		const pieces = 50
		for i := range pieces {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(pause):
			}
			begin, end := i*len(content)/pieces, (i+1)*len(content)/pieces
			if i == 0 {
				serveFirst(w, content, end)
				continue
			}
			if _, err := w.Write(content[begin:end]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
}

func TestFetchPutsASlowSourceOff(t *testing.T) {
	archive := tinyArchive()
	for _, secondHasIt := range []bool{true, false} {
		t.Run(fmt.Sprintf("the second source has it: %v", secondHasIt), func(t *testing.T) {
			t.Parallel()
			slow := slowServer(t, archive, 100*time.Millisecond)
			second := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				if secondHasIt {
					serveFile(w, r, archive)
				} else {
					http.NotFound(w, r)
				}
			})
			secondSource := tinySource("second", second.URL)
			secondSource.downloads[0].archive = "other.tar.gz"
			l := tinyLibrary(tinySource("slow", slow.URL), secondSource)
			// A busy machine may let the second source wait, too.
			l.client.window, l.client.patience = time.Second, 1500*time.Millisecond
			dir := t.TempDir()
			if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
				t.Fatal(err)
			}
			checkTiny(t, dir)
			ranges, _ := slow.asked()
			if want := map[bool]int{true: 1, false: 2}[secondHasIt]; len(ranges) != want {
				t.Errorf("the slow source was asked %d times instead of %d", len(ranges), want)
			}
		})
	}
}

func TestFetchPutsFilesInPlaceWhole(t *testing.T) {
	archive := tinyArchive()
	contents := tinyContents()
	s := slowServer(t, archive, 20*time.Millisecond)
	dir := t.TempDir()
	// A damaged file must be replaced at one stroke as well.
	damaged := contents["test.bin"][:1000]
	writeFile(t, filepath.Join(dir, "tiny", "test.bin"), damaged)

	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Add(1)
	go func() {
		defer watching.Done()
		for {
			select {
			case <-done:
				return
			default:
			}
			for name, want := range contents {
				found, err := os.ReadFile(filepath.Join(dir, "tiny", name))
				old := name == "test.bin" && bytes.Equal(found, damaged)
				if !errors.Is(err, os.ErrNotExist) && !bytes.Equal(found, want) && !old {
					t.Errorf("%s was seen with %d bytes, error %v", name, len(found), err)
				}
			}
		}
	}()
	err := tinyLibrary(tinySource("slow", s.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{})
	close(done)
	watching.Wait()
	if err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
}

func TestFetchOfACompleteSetAsksNobody(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) })
	dir := t.TempDir()
	for name, content := range tinyContents() {
		writeFile(t, filepath.Join(dir, "tiny", name), content)
	}
	if err := tinyLibrary(tinySource("source", s.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	if ranges, _ := s.asked(); len(ranges) != 0 {
		t.Errorf("the source was asked %d times", len(ranges))
	}
}

func TestTwoFetchesAtOnce(t *testing.T) {
	s := slowServer(t, tinyArchive(), 20*time.Millisecond)
	dir := t.TempDir()
	l := tinyLibrary(tinySource("slow", s.URL))
	var failures [2]error
	var running sync.WaitGroup
	for i := range failures {
		running.Add(1)
		go func() {
			defer running.Done()
			failures[i] = l.fetch(t.Context(), dir, "tiny", FetchOptions{})
		}()
	}
	running.Wait()
	if err := errors.Join(failures[:]...); err != nil {
		t.Fatal(err)
	}
	checkTiny(t, dir)
	if ranges, _ := s.asked(); len(ranges) != 1 {
		t.Errorf("the archive was fetched %d times", len(ranges))
	}
}

func TestFetchSaysThatTheDiskIsFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is a device that is always full, /dev/full, on Linux only")
	}
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, tinyArchive()) })
	second := newServer(t, func(w http.ResponseWriter, r *http.Request, _ int) { serveFile(w, r, tinyArchive()) })
	dir := t.TempDir()
	part := filepath.Join(dir, "tiny.part", "tiny.tar.gz")
	if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", part); err != nil {
		t.Fatal(err)
	}
	err := tinyLibrary(tinySource("first", s.URL), tinySource("second", second.URL)).fetch(t.Context(), dir, "tiny", FetchOptions{})
	checkContains(t, err, "the disk that holds "+dir+" is full", "--data DIR")
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("ENOSPC is not in the chain of %v", err)
	}
	if ranges, _ := second.asked(); len(ranges) != 0 {
		t.Error("another source was asked, which cannot help")
	}
}

func TestFetchTakesFilesThatAreThere(t *testing.T) {
	contents := tinyContents()
	train, test := contents["train.bin"], contents["test.bin"]
	cases := []struct {
		name string
		from map[string][]byte
	}{
		{"unpacked", map[string][]byte{"train.bin": train, "test.bin": test}},
		{"unpacked in the official sub-folder", map[string][]byte{"tiny-bin/train.bin": train, "tiny-bin/test.bin": test}},
		{"another data folder", map[string][]byte{"tiny/train.bin": train, "tiny/test.bin": test}},
		{"compressed one by one", map[string][]byte{"train.bin.gz": gzipOf(train), "tiny-bin/test.bin.gz": gzipOf(test)}},
		{"the archive", map[string][]byte{"tiny.tar.gz": tinyArchive()}},
		{"in folders of their own", map[string][]byte{"train.bin/train.bin": train, "x/y/test.bin/test.bin": test}},
		{"under other names", map[string][]byte{"train-bin": train, "sub/some test.GZ": gzipOf(test), "other": altered(test), "third.gz": gzipOf(altered(train))}},
		{"a wrong file beside the archive", map[string][]byte{"test.bin": altered(test), "tiny.tar.gz": tinyArchive()}},
		{"a wrong archive beside the files", map[string][]byte{"tiny.tar.gz": []byte("no archive"), "tiny-bin/train.bin": train, "tiny-bin/test.bin": test}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			from, dir := t.TempDir(), t.TempDir()
			for name, content := range c.from {
				writeFile(t, filepath.Join(from, name), content)
			}
			if err := tinyLibrary(tinySource("network", "http://invalid.invalid")).fetch(t.Context(), dir, "tiny", FetchOptions{From: from}); err != nil {
				t.Fatal(err)
			}
			checkTiny(t, dir)
		})
	}
	t.Run("one file after the other", func(t *testing.T) {
		from, dir := t.TempDir(), t.TempDir()
		l := tinyLibrary(tinySource("network", "http://invalid.invalid"))
		for _, name := range []string{"train.bin", "other name.gz"} {
			content := map[string][]byte{"train.bin": train, "other name.gz": gzipOf(test)}[name]
			writeFile(t, filepath.Join(from, name), content)
			err := l.fetch(t.Context(), dir, "tiny", FetchOptions{From: filepath.Join(from, name)})
			if name == "train.bin" {
				checkContains(t, err, "train.bin is not all of tiny: test.bin is still needed")
			} else if err != nil {
				t.Fatal(err)
			}
		}
		checkTiny(t, dir)
	})
	t.Run("a source that is a folder", func(t *testing.T) {
		folder, dir := t.TempDir(), t.TempDir()
		writeFile(t, filepath.Join(folder, "train.bin.gz"), gzipOf(train))
		writeFile(t, filepath.Join(folder, "test.bin.gz"), gzipOf(test))
		if err := tinyLibrary(source{name: "package", folder: folder}).fetch(t.Context(), dir, "tiny", FetchOptions{}); err != nil {
			t.Fatal(err)
		}
		checkTiny(t, dir)
	})
}

func TestFetchSaysWhatIsWrongInAFolder(t *testing.T) {
	contents := tinyContents()
	train, test := contents["train.bin"], contents["test.bin"]
	archive := tinyArchive()
	cases := []struct {
		name string
		from map[string][]byte
		says []string
	}{
		{"nothing there", nil, []string{"train.bin, test.bin was not found", "tiny-bin", "tiny.tar.gz"}},
		{"altered", map[string][]byte{"train.bin": train, "test.bin": altered(test)},
			[]string{"test.bin is altered", hashOf(test), hashOf(altered(test)), "copy it there once more"}},
		{"truncated", map[string][]byte{"train.bin": train, "test.bin": test[:50]},
			[]string{"test.bin is truncated: 50 of 92190 bytes", hashOf(test), hashOf(test[:50])}},
		{"truncated under another name", map[string][]byte{"train.bin": train, "sub/test-bin": test[:50]},
			[]string{"sub/test-bin is truncated: 50 of 92190 bytes", hashOf(test)}},
		{"compressed and truncated under another name", map[string][]byte{"train.bin": train, "test-bin.gz": gzipOf(test)[:50]}, []string{"test-bin.gz"}},
		{"truncated archive", map[string][]byte{"tiny.tar.gz": archive[:len(archive)-100]},
			[]string{"tiny.tar.gz", hashOf(archive), hashOf(archive[:len(archive)-100]), "unexpected EOF"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			from, dir := t.TempDir(), t.TempDir()
			for name, content := range c.from {
				writeFile(t, filepath.Join(from, name), content)
			}
			err := tinyLibrary(tinySource("network", "http://invalid.invalid")).fetch(t.Context(), dir, "tiny", FetchOptions{From: from})
			checkContains(t, err, append(c.says, from)...)
		})
	}
	t.Run("a file of another name", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "other.tar.gz")
		writeFile(t, path, archive)
		err := tinyLibrary(tinySource("network", "http://invalid.invalid")).fetch(t.Context(), t.TempDir(), "tiny", FetchOptions{From: path})
		checkContains(t, err, path, "holds nothing of tiny", "tiny.tar.gz")
	})
}

func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	l := &lines{out: &out}
	l.Note("a note")
	l.Begin("file.gz", 1_000_000, 4_000_000)
	l.started = time.Now().Add(-2 * time.Second)
	l.Add(1_000_000) // half a megabyte a second, 4 s to go
	l.Add(2_000_000)
	l.End()
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{"a note", "file.gz: 2.0 MB of 4.0 MB, ", "file.gz: 4.0 MB of 4.0 MB, 1", "file.gz: 4.0 MB of 4.0 MB, 1"}
	if len(got) != len(want) {
		t.Fatalf("%d lines instead of %d:\n%s", len(got), len(want), out.String())
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("line %d is %q and should have %q", i, got[i], want[i])
		}
	}
	if !strings.Contains(got[1], " left") {
		t.Errorf("%q does not say how much time is left", got[1])
	}
}
