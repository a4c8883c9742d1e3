package data

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// residualsOf encodes records of two labels and three planes, each prediction by the case
// that its place is.
func residualsOf(records []byte) (out []byte) {
	const record = 2 + 3*1024
	for label := range 2 {
		for at := label; at < len(records); at += record {
			out = append(out, records[at])
		}
	}
	for _, channel := range []int{1, 0, 2} {
		for at := 2; at < len(records); at += record {
			green, plane := records[at+1024:], records[at+channel*1024:]
			value := func(i int) int {
				if channel == 1 {
					return int(green[i])
				}
				return int(plane[i]) - int(green[i])
			}
			for i := range 1024 {
				p := 0
				switch {
				case i == 0:
				case i < 32:
					p = value(i - 1)
				case i%32 == 0:
					p = value(i - 32)
				default:
					three := []int{value(i - 1), value(i - 32), value(i-1) + value(i-32) - value(i-33)}
					slices.Sort(three)
					p = three[1] // the median, which is the third held between the others
				}
				out = append(out, byte(value(i)-p))
			}
		}
	}
	return out
}

// packedLibrary is a library of one set with two labels a record, its files, and their
// residuals.
func packedLibrary() (l library, contents map[string][]byte, stream []byte) {
	random := rand.New(rand.NewPCG(tinySeed, 1))
	contents = map[string][]byte{}
	files := []file{{name: "train.bin", count: 3}, {name: "test.bin", count: 2}}
	for i, f := range files {
		content := make([]byte, f.count*(2+3*1024))
		for j := range content {
			content[j] = byte(random.UintN(256))
			if j > 4000 { // smooth, after what is not
				content[j] = byte(j/5 + int(random.UintN(3)))
			}
		}
		files[i].size, files[i].sha256 = int64(len(content)), hashOf(content)
		contents[f.name] = content
		stream = append(stream, residualsOf(content)...)
	}
	return library{client: newClient(), entries: []entry{{
		shape: Set{Name: "tiny"}, files: files,
		packed: []download{{
			archive: "tiny.med.gz", sha256: hashOf(gzipOf(stream)), holds: namesOf(files), unpack: unpackResiduals(files),
		}},
	}}}, contents, stream
}

func TestFetchTakesResiduals(t *testing.T) {
	l, contents, stream := packedLibrary()
	for _, named := range []string{"", "tiny.med.gz"} { // the folder, the file
		from, dir := t.TempDir(), t.TempDir()
		writeFile(t, filepath.Join(from, "tiny.med.gz"), gzipOf(stream))
		if err := l.fetch(t.Context(), dir, "tiny", FetchOptions{From: filepath.Join(from, named)}); err != nil {
			t.Fatal(err)
		}
		for name, want := range contents {
			if got, err := os.ReadFile(filepath.Join(dir, "tiny", name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s has %d bytes, error %v", name, len(got), err)
			}
		}
	}
}

func TestFetchRefusesDamagedResiduals(t *testing.T) {
	l, contents, stream := packedLibrary()
	whole := gzipOf(stream)
	changed := bytes.Clone(stream)
	changed[5000]++
	for name, c := range map[string]struct {
		archive []byte
		says    string
	}{
		"truncated":               {whole[:len(whole)/2], "train.bin: unexpected EOF"},
		"without its checksum":    {whole[:len(whole)-9], "unexpected EOF"},
		"without the second file": {gzipOf(stream[:3*(2+3*1024)]), "test.bin: unexpected EOF"},
		"longer":                  {gzipOf(append(bytes.Clone(stream), 1, 2)), "2 bytes follow the last file"},
		"altered":                 {altered(whole), "gzip: invalid checksum"}, // the last byte is of the length
		"of other pictures":       {gzipOf(changed), "train.bin in tiny.med.gz is altered (SHA-256 expected " + hashOf(contents["train.bin"])},
		"empty":                   {nil, "(0 bytes)"},
	} {
		t.Run(name, func(t *testing.T) {
			from, dir := t.TempDir(), t.TempDir()
			path := filepath.Join(from, "tiny.med.gz")
			writeFile(t, path, c.archive)
			for _, from := range []string{from, path} {
				err := l.fetch(t.Context(), dir, "tiny", FetchOptions{From: from})
				checkContains(t, err, c.says, path, hashOf(whole), hashOf(c.archive), "once more")
				if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "tiny.lock" {
					t.Errorf("%v is left behind, error %v", left, err)
				}
			}
		})
	}
}

// packedEnvironment names the whole archive of CIFAR-100, cifar-100.med.gz, or its folder.
const packedEnvironment = "DIAGHESS_CIFAR100"

func TestCIFAR100FromResiduals(t *testing.T) {
	from := os.Getenv(packedEnvironment)
	if from == "" {
		t.Skipf("%s names no folder with cifar-100.med.gz", packedEnvironment)
	}
	dir := t.TempDir()
	if err := (Shelf{Dir: dir}).Fetch(t.Context(), "cifar100", FetchOptions{From: from}); err != nil {
		t.Fatal(err)
	}
	if err := (Shelf{Dir: dir}).Verify(t.Context(), "cifar100"); err != nil {
		t.Error(err)
	}
}
