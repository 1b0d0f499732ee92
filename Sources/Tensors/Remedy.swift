/// What can be done about an error. Libraries know no options and no tools: what takes one is a case of its own, and
/// the tools say which option it is (`RemedyWording` of ToolSupport). Everything else is a free text.
public enum Remedy: Sendable {
  case advice(String)
  /// A command's help.
  case help(String)

  // MARK: Checkpoints and patches

  /// Nothing says what the weights should be.
  case compareWithBase
  case compareWithBaseAndPatch(checkpoint: String, patch: String)
  /// A number of patches can be applied by force.
  case force(count: Int)
  /// Without a base, a patch is made that records no result.
  case recordNoResult
  case leaveOutBase
  case applyParents
  /// - all: the patches and those computed on top of them; rest: the latter.
  case revertChildren(all: String, rest: String)
  case nameReverted
  case makeWithoutCorrection
  /// - folder: the model's in the cache.
  case writeCopy(folder: String)
  case followLinks
  case replace
  case removeSignatures

  // MARK: Second moments

  case collect(layer: Int?)
  case collectAgain
  case countMore(tokens: Int)
  case factorAgain
  case sayLayer
  case nameField
  case longerSequence

  // MARK: Edits

  case giveOneLayer
  case dropDependent
  case gentlerSearch
  case describeChatFormat
  case searchParts

  // MARK: Patches that are solved again

  case nameFact
  case prefer
  case giveSlack
  case giveOneSlack
  case giveStatistics
  case giveTheirStatistics
  case stackUnresolved
  case stackUnresolvedPublishedROME
  case stackUnresolvedOrEdit
  case stackUnresolvedOnly
  case largerLambdaOrDrop

  // MARK: Compaction and differences

  case weightNorm
  case factOrWeightNorm
  case allowMore
  case smallerRank
  case makeDifferenceAgain
  case leaveOutTensor
  case leaveOutTensors
  case keepCorrection

  // MARK: Adapters

  case importAdapter
  case serveAdapter
  case serveWithoutCorrection
  case exportToPEFT
  case mergeAndCompare
  case addAndCompare
  case convertPickle

  // MARK: Evaluation

  case skipInvalid
  case widerWindow(tokens: Int)
  case fewerShots
  case fewerShotsOrRemove
}

extension Remedy {
  /// Whether it is no advice: where to read on, or what goes too.
  var isAside: Bool {
    switch self {
    case .help, .force, .recordNoResult: true
    default: false
    }
  }
}

extension Remedy: ExpressibleByStringInterpolation {
  public init(stringLiteral text: String) { self = .advice(text) }
}

extension Remedy: CustomStringConvertible {
  /// In the words of a library's user.
  public var description: String {
    switch self {
    case .advice(let text): text
    case .help(let command): "see the help of '\(command)'"
    case .compareWithBase: "compare them with the base"
    case .compareWithBaseAndPatch: "compare them with the base and the patch"
    case .force(let count): "force applies \(count == 1 ? "it" : "them") all the same"
    case .recordNoResult: "without the base the patch records no result"
    case .leaveOutBase: "leave out the base"
    case .applyParents: "apply that first (force applies it all the same)"
    case .revertChildren(let all, let rest): "revert \(all), or leave \(rest) applied by force"
    case .nameReverted: "name those to revert"
    case .makeWithoutCorrection:
      "take one of them, or make a difference of the finished checkpoint, or make the first again without correction"
    case .writeCopy(let folder): "write a copy, or name the folder \(folder)"
    case .followLinks: "follow links to copy what is there, or remove the link"
    case .replace: "name another output, or replace it"
    case .removeSignatures: "get the patch from its signer again, or take its signatures off"
    case .collect(let layer): layer.map { "collect them for layer \($0)" } ?? "collect them"
    case .collectAgain: "collect it again"
    case .countMore(let tokens): "count at least \(tokens) tokens, or add a ridge of 1e-4"
    case .factorAgain: "remove it, or make it again"
    case .sayLayer: "say the layer"
    case .nameField: "name the field"
    case .longerSequence: "take a longer one"
    case .giveOneLayer: "give one"
    case .dropDependent: "remove them, or have them dropped"
    case .gentlerSearch: "try a smaller learning rate or clamp, or another layer"
    case .searchParts: "search them in parts"
    case .describeChatFormat: "describe the format in a file"
    case .nameFact: "give an ID, its first digits (four at least) or the exact subject"
    case .prefer: "decide which to prefer: those of the first patch, of the last, or one by its ID"
    case .giveSlack: "give lambda, or a method with w"
    case .giveOneSlack: "choose one lambda for all"
    case .giveStatistics: "add the second moments that they were made with, or make one again with its keys"
    case .giveTheirStatistics: "give those, or make the patch again with its keys"
    case .stackUnresolved: "stack them side by side, or make one again with the other's"
    case .stackUnresolvedPublishedROME: "stack side by side, or make it again with ROME as in the paper"
    case .stackUnresolvedOrEdit: "stack side by side, or edit all facts anew"
    case .stackUnresolvedOnly: "stack side by side"
    case .largerLambdaOrDrop: "use a larger one, or drop them"
    case .weightNorm: "use the norm of weights"
    case .factOrWeightNorm: "use the norm of facts or weights, or make the patch again"
    case .allowMore: "allow more, or store them narrower alone"
    case .smallerRank: "give a smaller rank"
    case .makeDifferenceAgain:
      "make the difference again with a rank, with a tolerance or without correction, or compress alone"
    case .leaveOutTensor: "leave it out"
    case .leaveOutTensors: "make a patch of the other tensors, if they differ"
    case .keepCorrection: "keep the correction"
    case .importAdapter: "import it as a patch"
    case .serveAdapter: "export the patch as an adapter, and serve that beside them"
    case .serveWithoutCorrection:
      "make the difference without correction, or apply it to a copy of the model, and serve that"
    case .exportToPEFT: "export in PEFT's format"
    case .mergeAndCompare: "merge it, and make a difference of the result"
    case .addAndCompare: "add it to the weights, and make a difference of the result"
    case .convertPickle: "load it with torch and save its tensors as safetensors"
    case .skipInvalid: "correct them, or leave them out"
    case .widerWindow(let tokens): "give a window of \(tokens) or more"
    case .fewerShots: "take fewer"
    case .fewerShotsOrRemove: "take fewer examples, or remove the record"
    }
  }
}
