import Tensors

/// What a tool says when it is done: one value, from which come the lines for people and the JSON for programs.
/// `JSONOption` gives it.
public protocol Answer {
  /// Which answer it is: the member `answer`, and the name of its schema in `Spec/schemas`.
  var kind: String { get }

  /// For people, an element a line.
  var lines: [String] { get }

  /// For programs: an object, without the members `answer`, `version` and `profile` that are added to every answer.
  var json: JSON { get }

  /// What goes to standard error, whichever form is asked for.
  var notices: [String] { get }

  /// What `--profile` measured.
  var profile: ProfileReport? { get }
}

extension Answer {
  public var notices: [String] { [] }
  public var profile: ProfileReport? { nil }

  /// The whole object of `--json`.
  var document: JSON {
    var document = JSONObject(["answer": JSON(kind), "version": .integer(answerVersion)])
    for (key, value) in json.objectValue!.members { document[key] = value }
    if let profile { document["profile"] = profile.json }
    return .object(document)
  }
}

/// The version of what `--json` prints. It grows when a member goes, or comes to mean something else; not when one is
/// added.
let answerVersion = 1
