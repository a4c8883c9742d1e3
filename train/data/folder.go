package data

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // a format of image.Decode
	_ "image/png"  // likewise
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readFolder reads pictures, PNG or JPEG, from a folder of folders, one for each class. If these
// are called train and test, the classes are folders of each of them.
func readFolder(s *Shelf, ctx context.Context, path, label string) (*raw, error) {
	if label != "" {
		return nil, fmt.Errorf("%s: label=%s is for tables; the classes are the names of the folders: leave it out", path, label)
	}
	folders, err := foldersIn(path)
	if err != nil {
		return nil, err
	}
	if slices.Contains(folders, "train") && slices.Contains(folders, "test") && len(folders) == 2 {
		train, err := readClasses(s, ctx, filepath.Join(path, "train"))
		if err != nil {
			return nil, err
		}
		train.tested, err = readClasses(s, ctx, filepath.Join(path, "test"))
		return train, err
	}
	return readClasses(s, ctx, path)
}

// foldersIn returns the names of the folders in a folder, but hidden ones. A picture beside them,
// which would have no class, is an error.
func foldersIn(path string) ([]string, error) {
	folders, pictures, err := list(path)
	if err == nil && len(folders) > 0 && len(pictures) > 0 {
		err = fmt.Errorf("%s: this picture is beside the folders of the classes: move it into that of its class, or away", filepath.Join(path, pictures[0]))
	}
	return folders, err
}

// list returns the names of the folders and of the pictures in a folder, but hidden ones.
func list(path string) (folders, pictures []string, err error) {
	entries, err := os.ReadDir(path)
	for _, entry := range entries {
		info, statErr := os.Stat(filepath.Join(path, entry.Name())) // through links
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case statErr == nil && info.IsDir():
			folders = append(folders, entry.Name())
		case isReadable(entry.Name()) || isOther(entry.Name()):
			pictures = append(pictures, entry.Name())
		}
	}
	return folders, pictures, err
}

// isReadable says whether a name is that of a picture that can be read, isOther that of another.
func isReadable(name string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(filepath.Ext(name)))
}

func isOther(name string) bool {
	return slices.Contains([]string{".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif", ".heic"}, strings.ToLower(filepath.Ext(name)))
}

// hasPictures says whether there is a picture in a folder or in those in it, but hidden ones. It
// follows no links in it: they may lead back.
func hasPictures(folder string) (found bool, err error) {
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return false, err
	}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch hidden := path != folder && strings.HasPrefix(entry.Name(), "."); {
		case err != nil:
			return err
		case hidden && entry.IsDir():
			return filepath.SkipDir
		case !hidden && !entry.IsDir() && (isReadable(path) || isOther(path)):
			found = true
			return filepath.SkipAll
		}
		return nil
	})
	return found, err
}

// readClasses reads the pictures of a folder for each class.
func readClasses(s *Shelf, ctx context.Context, path string) (*raw, error) {
	classes, err := foldersIn(path)
	if err != nil {
		return nil, err
	}
	type file struct{ path, class string }
	var files []file
	for _, class := range classes {
		folder := filepath.Join(path, class)
		folders, pictures, err := list(folder)
		if err != nil {
			return nil, err
		}
		for _, name := range pictures {
			if isOther(name) {
				return nil, fmt.Errorf("%s: a picture is a .png, .jpg or .jpeg file: convert it, or move it away", filepath.Join(folder, name))
			}
			files = append(files, file{filepath.Join(folder, name), class})
		}
		if len(pictures) == 0 {
			return nil, fmt.Errorf("%s: there is no picture, .png, .jpg or .jpeg: a folder of pictures has a folder for each class", folder)
		}
		for _, name := range folders {
			place := filepath.Join(folder, name)
			if found, err := hasPictures(place); found || err != nil {
				return nil, cmp.Or(err, fmt.Errorf("%s: this folder in that of the class %s has pictures: move them up into that, or away", place, class))
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: there are no folders in it: a folder of pictures has a folder for each class", path)
	}
	p := pictures{}
	for i, f := range files {
		content, err := s.all(ctx, f.path, 1)
		if err != nil {
			return nil, err
		}
		if err := p.add(content); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		if i == 0 {
			if err := s.checkMemory(path, 2*int64(len(files))*int64(3*p.width*p.height)); err != nil {
				return nil, err
			}
		}
		p.classes = append(p.classes, f.class)
	}
	r := p.raw()
	r.where = func(row int) string { return files[row].path }
	return r, nil
}

// pictures are decoded pictures of one size.
type pictures struct {
	width, height int
	pixels        []uint8 // RGB
	classes       []string
}

// mostPixels bounds a picture: a network of the program has no use for a larger one.
const mostPixels = 1 << 22

// add decodes a picture, PNG or JPEG. It refuses one of another size than those before.
func (p *pictures) add(content []byte) error {
	config, _, err := image.DecodeConfig(bytes.NewReader(content))
	switch {
	case err != nil:
		return fmt.Errorf("it is no PNG and no JPEG: %w", err)
	case config.Width <= 0 || config.Height <= 0 || config.Width > mostPixels/config.Height:
		return fmt.Errorf("it is %d x %d pixels: a picture may have %d in all; make all smaller", config.Width, config.Height, mostPixels)
	case slices.Contains([]color.Model{color.Gray16Model, color.RGBA64Model, color.NRGBA64Model}, config.ColorModel):
		return errors.New("its values have 16 bits: bring it to 8")
	case p.pixels == nil:
		p.width, p.height = config.Width, config.Height
	case config.Width != p.width || config.Height != p.height:
		return fmt.Errorf("it is %d x %d pixels, and those before are %d x %d: bring all to one size", config.Width, config.Height, p.width, p.height)
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return err
	}
	bounds := decoded.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := color.NRGBAModel.Convert(decoded.At(x, y)).(color.NRGBA)
			if c.A != 255 {
				return fmt.Errorf("its pixel %d, %d is transparent: put the picture on a background", x, y)
			}
			p.pixels = append(p.pixels, c.R, c.G, c.B)
		}
	}
	return nil
}

// raw makes rows of the pictures.
func (p *pictures) raw() *raw {
	return &raw{Table: Table{Shape: []int{p.height, p.width, 3}, Bytes: p.pixels, Divisor: 255}, classes: p.classes, decoded: true}
}

// grey gives pictures one channel, if they have no colour.
func (t *Table) grey() {
	for i := 0; i < len(t.Bytes); i += 3 {
		if t.Bytes[i] != t.Bytes[i+1] || t.Bytes[i] != t.Bytes[i+2] {
			return
		}
	}
	grey := make([]uint8, len(t.Bytes)/3)
	for i := range grey {
		grey[i] = t.Bytes[3*i]
	}
	t.Shape, t.Bytes = []int{t.Shape[0], t.Shape[1], 1}, grey
}
