import Tensors

/// Remedies in the words of the tools: with the options and the commands that a library does not know.
extension ErrataError {
  /// The line that tools print.
  public var worded: String { message(wording: \.worded) }
}

extension Remedy {
  var worded: String {
    switch self {
    case .compareWithBase: "compare them with --base"
    case .compareWithBaseAndPatch(let checkpoint, let patch):
      "'errata verify \(checkpoint) --base BASE --patch \(patch)' compares them"
    case .force(let count): "--force applies \(count == 1 ? "it" : "them") all the same"
    case .recordNoResult: "without --base the patch records no result"
    case .leaveOutBase: "leave out --base"
    case .applyParents: "apply that first (--force applies it all the same)"
    case .revertChildren(let all, let rest): "--cascade reverts \(all), --force leaves \(rest) applied"
    case .nameReverted: "name those to revert, or use --last or --all"
    case .makeWithoutCorrection:
      "take one of them, or run 'errata diff' on the finished checkpoint, or make the first again with "
        + "'errata diff --no-correction'"
    case .writeCopy(let folder): "write a copy with -o, or name the folder \(folder)"
    case .followLinks: "--follow-links copies what is there, or remove the link"
    case .replace: "\(description) with --force"
    case .removeSignatures: "\(description) with 'errata sign --remove-all'"
    case .collect(let layer): "collect them with 'errata stats\(layer.map { " --layers \($0)" } ?? "")'"
    case .collectAgain: "\(description) with 'errata stats'"
    case .countMore(let tokens):
      "count at least \(tokens) tokens with 'errata stats --tokens', or add --ridge 1e-4"
    case .factorAgain: "\(description) with 'errata stats factor'"
    case .sayLayer, .giveOneLayer: "\(description) with --layers"
    case .nameField: "\(description) with --field"
    case .longerSequence: "raise --sequence-length"
    case .dropDependent: "remove them, or add --drop-dependent"
    case .gentlerSearch: "try a smaller --learning-rate or --clamp, or another layer"
    case .searchParts: "search them with 'errata edit --part'"
    case .describeChatFormat: "describe the format with --chat-format"
    case .nameFact: "\(description), as 'errata show' lists them"
    case .prefer: "decide with --prefer first, --prefer last or --prefer ID"
    case .giveSlack: "give --lambda, or --method with -w"
    case .giveOneSlack: "choose one for all, with --lambda"
    case .giveStatistics:
      "add --stats with the second moments that they were made with, or make one again with 'errata edit --keys'"
    case .giveTheirStatistics: "give those, or make the patch again with 'errata edit --keys'"
    case .stackUnresolved: "stack them without --resolve, or make one again with the other's"
    case .stackUnresolvedPublishedROME: "stack without --resolve, or make it again without --published-rome"
    case .stackUnresolvedOrEdit: "stack without --resolve, or edit all facts anew"
    case .stackUnresolvedOnly: "stack without --resolve"
    case .largerLambdaOrDrop: "use a larger one, or remove them with 'errata drop'"
    case .weightNorm: "use --norm weights"
    case .factOrWeightNorm: "use --norm facts or weights, or make the patch again with 'errata edit'"
    case .allowMore: "allow more, or store them narrower with --factors alone"
    case .smallerRank: "give a smaller --rank"
    case .makeDifferenceAgain:
      "make the difference again with 'errata diff' (--rank, --tolerance or --no-correction), or give "
        + "--compression-level alone"
    case .leaveOutTensor: "--common leaves it out"
    case .leaveOutTensors: "--common makes a patch of the other tensors, if they differ"
    case .keepCorrection: "leave out --no-correction"
    case .importAdapter: "make a patch of it with 'errata import'"
    case .serveAdapter: "serve it with an adapter: 'errata export PATCH --to peft --base ORIGINAL -o FOLDER'"
    case .serveWithoutCorrection:
      "make the patch with 'errata diff --no-correction', or apply it to a copy of the model, and serve that"
    case .exportToPEFT: "export with --to peft"
    case .mergeAndCompare: "merge it, and make a patch with 'errata diff'"
    case .addAndCompare: "add it to the weights, and make a patch with 'errata diff'"
    case .convertPickle: "\(description) ('errata import --help' has the lines)"
    case .skipInvalid: "\(description) with --skip-invalid"
    case .widerWindow(let tokens): "give --window \(tokens) or more"
    case .fewerShots: "lower --shots"
    case .fewerShotsOrRemove: "lower --shots, or remove the record"
    case .help(let command): "see '\(command) --help'"
    case .advice: description
    }
  }
}
