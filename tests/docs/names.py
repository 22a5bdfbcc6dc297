"""What documents name in backticks is there: names.py SOURCE [FILE.md...]; one line for each finding, exit status 1 if there is any.

A word in backticks is judged by its shape:

  folder/file.c, folder/   a path, from the root of the tree, from enclave/ or from the document's own folder
  file.c                   a file of that name, somewhere
  name()                   a function of the file that comes behind it (`name()` of `file.c`), else of the one that was named last
                           in the same paragraph or list item; else, in documents at the root, of any
  some_name, SOME_NAME     in documents at the root: a word of the sources

Everything else in backticks is prose's business. Code blocks are not looked at. Links to files lead somewhere; and README links each
document of docs/, so that it is an index of them.
"""
import pathlib
import re
import subprocess
import sys

PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
ENDINGS = (".c", ".h", ".S", ".sh", ".py", ".md", ".edl", ".xml", ".txt", ".pml", ".mjs", ".gdb")


def paragraphs(text):
    """(line number, text) of each paragraph, list item or row of a table, without blocks of code."""
    start, lines, fenced = 0, [], False
    for number, line in enumerate(text.splitlines() + [""], 1):
        fence = line.lstrip().startswith("```")
        begins = re.match(r"\s*([-*|]|\d+\.)", line)
        if (fence or fenced or not line.strip() or begins or line.startswith("    ")) and lines:
            yield start, " ".join(lines)
            lines = []
        fenced ^= fence
        if not fence and not fenced and line.strip() and not (line.startswith("    ") and not lines):
            start = start if lines else number
            lines.append(line.strip())


class Tree:
    def __init__(self, top):
        self.top = top
        files = subprocess.run(["git", "-c", "safe.directory=*", "-C", top, "ls-files"], capture_output=True, text=True,
                               check=True).stdout.split("\n")[:-1]
        self.files = {file for file in files if (top / file).is_file()}
        self.folders = {str(parent) for file in self.files for parent in pathlib.PurePath(file).parents}
        self.sources = {file: (top / file).read_text() for file in self.files
                        if file.endswith((".c", ".h", ".S", ".py", ".sh", ".edl", "CMakeLists.txt", ".xml", ".rs"))}
        self.words = set(re.findall(r"\w+", "\n".join(self.sources.values())))

    def find(self, path, document):
        """The files or folders that a path may mean; a test is named by its file without _test.c."""
        path = path.rstrip("/")
        places = [path, f"{path}_test.c", f"enclave/{path}", str(pathlib.PurePath(document).parent / path)]
        exact = {place for place in places if place in self.files or place in self.folders}
        return sorted(exact) or ([f for f in self.files if f.endswith("/" + path)] if "/" not in path else [])

    def has_function(self, name, files):
        pattern = re.compile(rf"^.*\b{name}\(|^[a-z ]*\b[A-Z_]+\({name}\)", re.M)
        for file in files:
            for found in pattern.finditer(self.sources.get(file, "")):
                line = found.group(0)
                if re.match(rf"[A-Za-z_][\w \*]*\b{name}\($|#define {name}\($|\s*def {name}\($|[A-Za-z_][\w ]*\b[A-Z_]+\({name}\)$", line):
                    return True
        return False


def findings(tree, document):
    folder = (tree.top / document).parent
    for number, text in paragraphs((tree.top / document).read_text()):
        for link in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", text):
            if not (folder / link).exists():
                yield f"{document}:{number}: {link} is not there"
        files = []
        for word, behind in re.findall(r"`([^`]+)`(?:(?= of `([^`]+)`))?", text):
            place = f"{document}:{number}: `{word}`"
            function = re.fullmatch(r"(\w+)\(\)", word)
            if function:
                files = tree.find(behind, document) if behind else files
                if behind and not files:
                    yield f"{document}:{number}: `{behind}` is not there"
                elif (files or "/" not in document) and not tree.has_function(function.group(1), files or tree.sources):
                    yield f"{place} is no function" + (f" of {' or '.join(files)}" if files else "")
            elif PATH.fullmatch(word) and (word.endswith(ENDINGS) or word.endswith("/") or word.split("/")[0] in tree.folders):
                named = tree.find(word, document)
                files = named or files
                if not named and not word.startswith("build/"):
                    yield f"{place} is not there"
            elif "/" not in document and re.fullmatch(r"[A-Za-z]\w*_\w+", word) and word not in tree.words:
                yield f"{place} is no word of the sources"


def main():
    tree = Tree(pathlib.Path(sys.argv[1]).resolve())
    documents = sys.argv[2:] or sorted(file for file in tree.files if file.endswith(".md"))
    found = [line for document in documents for line in findings(tree, document)]
    index = (tree.top / "README.md").read_text()
    found += [f"README.md does not link {file}" for file in documents if file.startswith("docs/") and f"({file})" not in index]
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
