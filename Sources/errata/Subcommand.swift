/// What `errata --help` lists.
struct Subcommand {
  let name: String
  let summary: String

  /// Commands that serve one purpose.
  struct Group {
    let title: String
    let commands: [Subcommand]
  }

  /// The groups in the order in which a patch passes through them; in each, what is used first stands first.
  static let groups = [
    Group(
      title: "Make a patch",
      commands: [
        Subcommand(name: "facts", summary: "say what a model makes of facts before they are edited"),
        Subcommand(name: "stats", summary: "collect the second moments that an edit needs; show, merge or import them"),
        Subcommand(name: "tune", summary: "pick layer, clamp and w for a model by trying them on facts"),
        Subcommand(name: "edit", summary: "compute an edit of facts and write it as a patch"),
        Subcommand(name: "import", summary: "make a patch of a low-rank adapter"),
      ]),
    Group(
      title: "Inspect patches and checkpoints",
      commands: [
        Subcommand(name: "show", summary: "say what a patch changes and costs, or which patches a checkpoint has"),
        Subcommand(name: "diff", summary: "compare patches or checkpoints, and make a patch of two checkpoints"),
        Subcommand(name: "ask", summary: "let a checkpoint continue a prompt"),
        Subcommand(name: "trace", summary: "say which edits fire on a prompt, at which token and how strongly"),
        Subcommand(name: "eval", summary: "score a checkpoint on facts: efficacy, paraphrase, neighbourhood"),
      ]),
    Group(
      title: "Apply patches, take them back, or export them",
      commands: [
        Subcommand(name: "apply", summary: "apply patches to a checkpoint"),
        Subcommand(name: "revert", summary: "take patches back, bit for bit"),
        Subcommand(name: "export", summary: "write patches as a low-rank adapter for PEFT, vLLM, llama.cpp and others"),
      ]),
    Group(
      title: "Prove what is there, and who made it",
      commands: [
        Subcommand(
          name: "verify", summary: "prove that a patch is whole, or that a checkpoint is its base plus its patches"),
        Subcommand(name: "sign", summary: "sign a patch, or take a signature off"),
        Subcommand(name: "keygen", summary: "make a key pair to sign patches with"),
      ]),
    Group(
      title: "Combine and change patches, without the model",
      commands: [
        Subcommand(name: "stack", summary: "make one patch of several, side by side or solved together"),
        Subcommand(name: "drop", summary: "take facts out of a patch, without the model"),
        Subcommand(name: "resolve", summary: "solve a patch again with another slack, without the model"),
        Subcommand(name: "compact", summary: "make a patch smaller: fewer terms, narrower numbers, harder compression"),
      ]),
  ]

  static let all = groups.flatMap(\.commands)

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
