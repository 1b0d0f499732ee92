import Tensors
import Testing

@testable import ToolSupport

/// Remedies as the tools word them; a library's words are tested with its errors.
@Suite struct RemedyWordingTests {
  private func worded(_ remedy: Remedy) -> String { ErrataError(.general, "x", "fails", remedy: remedy).worded }

  @Test(arguments: [
    (Remedy.compareWithBase, "compare them with --base"),
    (
      .compareWithBaseAndPatch(checkpoint: "c", patch: "p"),
      "'errata verify c --base BASE --patch p' compares them"
    ),
    (.leaveOutBase, "leave out --base"),
    (.applyParents, "apply that first (--force applies it all the same)"),
    (.revertChildren(all: "both", rest: "it"), "--cascade reverts both, --force leaves it applied"),
    (.nameReverted, "name those to revert, or use --last or --all"),
    (
      .makeWithoutCorrection,
      "take one of them, or run 'errata diff' on the finished checkpoint, or make the first again with 'errata diff "
        + "--no-correction'"
    ),
    (.writeCopy(folder: "f"), "write a copy with -o, or name the folder f"),
    (.followLinks, "--follow-links copies what is there, or remove the link"),
    (.replace, "name another output, or replace it with --force"),
    (
      .removeSignatures,
      "get the patch from its signer again, or take its signatures off with 'errata sign --remove-all'"
    ),
    (.collect(layer: 3), "collect them with 'errata stats --layers 3'"),
    (.collect(layer: nil), "collect them with 'errata stats'"),
    (.collectAgain, "collect it again with 'errata stats'"),
    (.countMore(tokens: 20), "count at least 20 tokens with 'errata stats --tokens', or add --ridge 1e-4"),
    (.factorAgain, "remove it, or make it again with 'errata stats factor'"),
    (.sayLayer, "say the layer with --layers"), (.nameField, "name the field with --field"),
    (.longerSequence, "raise --sequence-length"), (.giveOneLayer, "give one with --layers"),
    (.dropDependent, "remove them, or add --drop-dependent"),
    (.searchParts, "search them with 'errata edit --part'"),
    (.describeChatFormat, "describe the format with --chat-format"),
    (.gentlerSearch, "try a smaller --learning-rate or --clamp, or another layer"),
    (
      .nameFact,
      "give an ID, its first digits (four at least) or the exact subject, as 'errata show' lists them"
    ),
    (.prefer, "decide with --prefer first, --prefer last or --prefer ID"),
    (.giveSlack, "give --lambda, or --method with -w"), (.giveOneSlack, "choose one for all, with --lambda"),
    (
      .giveStatistics,
      "add --stats with the second moments that they were made with, or make one again with 'errata edit --keys'"
    ),
    (.giveTheirStatistics, "give those, or make the patch again with 'errata edit --keys'"),
    (.stackUnresolved, "stack them without --resolve, or make one again with the other's"),
    (.stackUnresolvedPublishedROME, "stack without --resolve, or make it again without --published-rome"),
    (.stackUnresolvedOrEdit, "stack without --resolve, or edit all facts anew"),
    (.stackUnresolvedOnly, "stack without --resolve"),
    (.largerLambdaOrDrop, "use a larger one, or remove them with 'errata drop'"),
    (.weightNorm, "use --norm weights"),
    (.factOrWeightNorm, "use --norm facts or weights, or make the patch again with 'errata edit'"),
    (.allowMore, "allow more, or store them narrower with --factors alone"), (.smallerRank, "give a smaller --rank"),
    (
      .makeDifferenceAgain,
      "make the difference again with 'errata diff' (--rank, --tolerance or --no-correction), or give "
        + "--compression-level alone"
    ),
    (.leaveOutTensor, "--common leaves it out"),
    (.leaveOutTensors, "--common makes a patch of the other tensors, if they differ"),
    (.keepCorrection, "leave out --no-correction"),
    (.skipInvalid, "correct them, or leave them out with --skip-invalid"),
    (.widerWindow(tokens: 3), "give --window 3 or more"), (.fewerShots, "lower --shots"),
    (.fewerShotsOrRemove, "lower --shots, or remove the record"), (.advice("fetch it again"), "fetch it again"),
  ])
  func namesOptions(remedy: Remedy, text: String) { #expect(worded(remedy) == "x: fails; \(text)") }

  /// What is no advice stands in parentheses.
  @Test func asides() {
    #expect(worded(.help("errata show")) == "x: fails (see 'errata show --help')")
    #expect(worded(.force(count: 1)) == "x: fails (--force applies it all the same)")
    #expect(worded(.force(count: 2)) == "x: fails (--force applies them all the same)")
    #expect(worded(.recordNoResult) == "x: fails (without --base the patch records no result)")
  }
}
