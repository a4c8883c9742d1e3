"""Known answers for the tests of package sets, by scikit-learn 1.6.1 and NumPy 1.26.4 themselves.

usage: OPENBLAS_CORETYPE=SkylakeX python known.py WINE.csv 20NEWS_HOME > known.json

20NEWS_HOME is a data_home in which scikit-learn's fetch_20newsgroups finds its texts. The
variable chooses the order of sums in products, which is that of fused multiplications in a row.
"""
import hashlib, json, sys
import numpy as np
from sklearn.datasets import fetch_20newsgroups, make_classification
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

wine, home = sys.argv[1:]


def digest(a, dtype):
    return hashlib.sha256(np.ascontiguousarray(a).astype(dtype).tobytes()).hexdigest()


def describe(X, y, r):
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=r)
    weights = (np.arange(len(y)) % 97)[:, None]
    return {"rows": len(y), "classes": np.bincount(y).tolist(), "labels": digest(y, "<i4"), "values": digest(X, "<f4"),
            "first": X[0].tolist() if X.shape[1] < 100 else [], "sums": X.sum(0)[:20].tolist(), "weighted": (X * weights).sum(0)[:20].tolist(),
            "magnitudes": (np.abs(X) * weights).sum(0)[:20].tolist(), "train": digest(train, "<i4"), "test": digest(test, "<i4")}


sets = {}
gauss = {"gauss-sep0.5-clust1": (0.5, 1, 0.0), "gauss-sep1.0-clust3": (1.0, 3, 0.0),
         "gauss-sep2.0-clust5": (2.0, 5, 0.0), "gauss-sep1.0-clust3-flip0.05": (1.0, 3, 0.05)}
table = np.loadtxt(wine, delimiter=";", skiprows=1)
standard = StandardScaler().fit_transform(table[:, :-1])
quality = np.digitize(table[:, -1].astype(int), [2, 4, 5, 6, 7, 10]) - 1
texts, groups = fetch_20newsgroups(data_home=home, subset="all", remove=("headers", "footers", "quotes"), return_X_y=True)
vectorizer = TfidfVectorizer(max_features=2000)
words = vectorizer.fit_transform(texts).toarray()
for r in 0, 1, 2, 3, 2**32 - 1:
    X, y = make_classification(n_samples=30000, n_features=20, n_informative=15, n_classes=4, weights=[0.7, 0.15, 0.1, 0.05], random_state=r)
    sets[f"imbalance/{r}"] = describe(X, y, r)
    for name, (sep, clusters, flip) in gauss.items():
        X, y = make_classification(n_samples=30000, n_features=10, n_informative=10, n_redundant=0, n_repeated=0, n_classes=8,
                                   n_clusters_per_class=clusters, flip_y=flip, class_sep=sep, random_state=r)
        sets[f"{name}/{r}"] = describe(X, y, r)
    sets[f"wine/{r}"] = describe(standard, quality, r)
    sets[f"newsgroups/{r}"] = describe(words, groups, r)

random, cases = np.random.RandomState(11), []
for _ in range(60):
    counts = random.choice([2, 3, 5, 5, 10, 10, 17], size=random.randint(2, 9))
    labels = random.permutation(np.repeat(np.arange(len(counts)), counts))
    fraction, seed = float(random.choice([0.1, 0.2, 0.25, 0.5, 0.7])), int(random.randint(1000))
    case = {"labels": labels.tolist(), "fraction": fraction, "seed": seed}
    try:
        train, test = train_test_split(np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed)
        case |= {"train": train.tolist(), "test": test.tolist()}
    except ValueError as e:
        case["error"] = str(e)
    cases.append(case)

g = np.random.RandomState(2024)
stream = {"seed": 2024, "uniform": g.random_sample(3).tolist(), "normal": g.standard_normal(5).tolist(), "integers": g.randint(10, size=8).tolist(),
          "large": g.randint(2**32, size=3).tolist(), "permutation": g.permutation(12).tolist(), "after": g.standard_normal(2).tolist()}
stream["far"] = [g.random_sample(5000).tolist()[-1]]
json.dump({"made_by": "known.py with scikit-learn 1.6.1 and NumPy 1.26.4", "stream": stream, "sets": sets, "splits": cases,
           "vocabulary": hashlib.sha256("\n".join(sorted(vectorizer.vocabulary_)).encode()).hexdigest(),
           "idf": vectorizer.idf_[:6].tolist()}, sys.stdout)
