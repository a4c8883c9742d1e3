package data

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// File returns the content of the official file of a set of which the package knows the file only,
// from the data folder dir, see [Dir]. Its errors are those of [Load].
func File(ctx context.Context, dir, name string) ([]byte, error) {
	return official(os.Getenv).file(ctx, dir, name)
}

func (l library) file(ctx context.Context, dir, name string) ([]byte, error) {
	e, err := library{entries: l.raw}.find(name)
	if err != nil {
		return nil, err
	}
	if dir, err = Dir(dir); err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	content, err := e.checkedContent(ctx, dir, e.files[0])
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return content, nil
}

// rawEntry returns the entry of a set of one file.
func rawEntry(name string, f file, s source, packed ...download) entry {
	holds := []string{f.name}
	for _, list := range [][]download{s.downloads, packed} {
		for i := range list {
			list[i].holds = holds
		}
	}
	return entry{shape: Set{Name: name}, files: []file{f}, sources: []source{s}, packed: packed}
}

// 20 newsgroups, "bydate". Source: Jason Rennie, http://qwone.com/~jason/20Newsgroups/; the
// copy is scikit-learn's.
func newsgroups() entry {
	return rawEntry("newsgroups",
		file{name: "20news-bydate.tar", size: 50_266_112, sha256: "9ed6d568b493f3ee7961017e13a48c33627c67e80516fb18e0249d7ddd6ea245"},
		source{name: "copy of scikit-learn", downloads: []download{{
			url: "https://ndownloader.figshare.com/files/5975967", archive: "20news-bydate.tar.gz",
			sha256: "8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610", unpack: unpackNewsgroups,
		}}},
		download{archive: "20news-bydate.tar.xz", unpack: unpackNewsgroups})
}

// Human activity recognition using smartphones. Source: UCI Machine Learning Repository,
// https://doi.org/10.24432/C54S4K
func har() entry {
	return rawEntry("har",
		file{name: "UCI HAR Dataset.zip", size: 60_999_314, sha256: "2045e435c955214b38145fb5fa00776c72814f01b203fec405152dac7d5bfeb0"},
		source{name: "official site", downloads: []download{{
			url:     "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
			archive: "human+activity+recognition+using+smartphones.zip",
			sha256:  "c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031", unpack: unpackZip,
		}}})
}

// Credit-card fraud. Source: Machine Learning Group of ULB,
// https://www.kaggle.com/datasets/mlg-ulb/creditcardfraud; the copy is TensorFlow's.
func creditCard() entry {
	return rawEntry("creditcard",
		file{name: "creditcard.csv", size: 150_828_752, sha256: "76274b691b16a6c49d3f159c883398e03ccd6d1ee12d9d8ee38f4b4b98551a89"},
		source{name: "copy of TensorFlow", downloads: []download{{
			url:     "https://storage.googleapis.com/download.tensorflow.org/data/creditcard.csv",
			archive: "creditcard.csv", unpack: unpackNothing,
		}}})
}

// unpackNothing puts a file that is official as it is downloaded.
func unpackNothing(_ context.Context, archive *os.File, put putter) error {
	return put(filepath.Base(archive.Name()), archive)
}

// newsgroupsBytes bounds what unpackNewsgroups reads into memory; the archive has 50 MB.
const newsgroupsBytes = 256 << 20

// unpackNewsgroups puts 20news-bydate.tar, made of the texts in a .tar.gz or .tar.xz: those for
// training first, each part in the order of its names, without dates or owners. So the same
// texts give the same file, however they were packed.
func unpackNewsgroups(ctx context.Context, archive *os.File, put putter) error {
	packed := bufio.NewReader(contextReader{ctx, archive})
	var unpacked io.Reader
	magic, err := packed.Peek(2)
	if err != nil {
		return err
	}
	if string(magic) == "\x1f\x8b" {
		unpacked, err = gzip.NewReader(packed)
	} else {
		unpacked, err = xz.NewReader(packed)
	}
	if err != nil {
		return err
	}
	texts := map[string][]byte{} // by PART/GROUP/NUMBER
	files := tar.NewReader(io.LimitReader(unpacked, newsgroupsBytes))
	for {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeReg {
			if texts[strings.TrimPrefix(path.Clean(header.Name), "./")], err = io.ReadAll(files); err != nil {
				return err
			}
		}
	}
	var tidy bytes.Buffer
	writer := tar.NewWriter(&tidy)
	names := slices.Sorted(maps.Keys(texts))
	isTest := func(name string) bool { return strings.HasPrefix(name, "20news-bydate-test/") }
	test := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isTest(name) })
	for _, name := range append(slices.DeleteFunc(names, isTest), test...) {
		header := tar.Header{Name: name, Mode: 0o644, Size: int64(len(texts[name])), Format: tar.FormatUSTAR}
		if err := writer.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := writer.Write(texts[name]); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return put("20news-bydate.tar", &tidy)
}
