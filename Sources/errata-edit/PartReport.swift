import Tensors
import ToolSupport

/// What `errata edit --part` says when it is done.
struct PartReport: Answer {
  let kind = "edit.part"

  let part: Part
  let path: String
  /// Of the part, and of all.
  let found: Int
  let factCount: Int
  let seconds: Double
  let profile: ProfileReport?

  var lines: [String] {
    [
      "\(printable(path)): values of \(counted(found, "fact")), part \(part) of \(factCount), "
        + formatDuration(seconds)
    ]
  }

  var json: JSON {
    [
      "output": JSON(path), "part": JSON(part.description), "found": .integer(found), "facts": .integer(factCount),
      "seconds": .double(seconds),
    ]
  }
}
