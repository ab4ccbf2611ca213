"""`bench score`."""

import click

from samplerbench.cli.options import options_of
from samplerbench.sweep.options import ScoreOptions


@click.command()
@options_of(ScoreOptions)
def score(options: ScoreOptions) -> None:
    """Score IMAGES that any code has made, under the protocol of `bench run`, as a row beside those of a run.

    IMAGES: folder:DIR, npz:FILE (ADM's), npy:FILE (of --save-images) or their paths; several, separated by commas, are
    seed blocks.

    \b
    bench score samples.npz --data folder:train --name my-sampler --output results/mine
    bench report results/runs/pngs-1a2b3c4d results/mine --output results/both
    """
    from samplerbench.cli.results import print_results
    from samplerbench.report.write import write
    from samplerbench.store.results import load
    from samplerbench.sweep.score import Scoring  # torch takes seconds to import

    scoring = Scoring(options)
    for note in scoring.scorer.notes:
        click.echo(note, err=True)
    scoring.run()
    print_results(load(scoring.folder))
    click.echo(f"\nReport: {write(scoring.folder)}")
