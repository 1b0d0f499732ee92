/// What `errata --help` lists.
struct Subcommand {
  let name: String
  let summary: String

  static let all = [
    Subcommand(name: "edit", summary: "compute an edit of facts and write it as a patch"),
    Subcommand(name: "facts", summary: "say what a model makes of facts before they are edited"),
    Subcommand(name: "stats", summary: "collect the second moments that an edit needs; show, merge or import them"),
    Subcommand(name: "tune", summary: "pick layer, clamp and w for a model by trying them on facts"),
    Subcommand(name: "show", summary: "say what a patch changes and costs, or which patches a checkpoint has"),
    Subcommand(name: "apply", summary: "apply patches to a checkpoint"),
    Subcommand(name: "revert", summary: "take patches back, bit for bit"),
    Subcommand(name: "resolve", summary: "solve a patch again with another slack, without the model"),
    Subcommand(name: "drop", summary: "take facts out of a patch, without the model"),
    Subcommand(name: "stack", summary: "make one patch of several, side by side or solved together"),
    Subcommand(name: "compact", summary: "make a patch smaller: fewer terms, narrower numbers, harder compression"),
    Subcommand(
      name: "verify", summary: "prove that a patch is whole, or that a checkpoint is its base plus its patches"),
    Subcommand(name: "keygen", summary: "make a key pair to sign patches with"),
    Subcommand(name: "sign", summary: "sign a patch, or take a signature off"),
    Subcommand(name: "diff", summary: "compare patches or checkpoints, and make a patch of two checkpoints"),
    Subcommand(name: "export", summary: "write patches as a low-rank adapter for PEFT, vLLM, llama.cpp and others"),
    Subcommand(name: "import", summary: "make a patch of a low-rank adapter"),
    Subcommand(name: "ask", summary: "let a checkpoint continue a prompt"),
    Subcommand(name: "trace", summary: "say which edits fire on a prompt, at which token and how strongly"),
    Subcommand(name: "eval", summary: "score a checkpoint on facts: efficacy, paraphrase, neighbourhood"),
  ]

  /// The command that a mistyped name most likely means: one at an edit distance of at most two.
  static func nearest(to name: String) -> String? {
    all.map { ($0.name, editDistance($0.name, name)) }.filter { $0.1 <= 2 }.min { $0.1 < $1.1 }?.0
  }

  private static func editDistance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left), Array(right))
    var previous = Array(0...right.count)
    for (row, character) in left.enumerated() {
      var current = [row + 1]
      for (column, other) in right.enumerated() {
        current.append(
          min(previous[column + 1] + 1, current[column] + 1, previous[column] + (character == other ? 0 : 1)))
      }
      previous = current
    }
    return previous[right.count]
  }
}
