// Package sets makes the data sets of the pilot study that are not pictures: those that
// scikit-learn generates, and those that it or a loader makes of official files. Labels, splits
// and values rounded to float32 are those of scikit-learn 1.6.1 and NumPy 1.26.4. sources.md
// has the origins.
//
// What does not belong here: fetching files, and anything of scikit-learn's that no set needs.
package sets
