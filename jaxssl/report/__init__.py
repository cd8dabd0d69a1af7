"""The page that a person looks at: `report.html` in a run's workdir.

`atlas` and `save_atlas` keep what the page shows of a model's features, `pictured`
and `save_pictures` the images that a result names by their ids; `write` draws the page
from the files of the workdir alone, and `verdict` says in a line whether the run
learns.
"""

from jaxssl.report import features_map
from jaxssl.report import page
from jaxssl.report import reader
from jaxssl.report import shown
from jaxssl.report import verdicts

atlas = features_map.atlas
save_atlas = features_map.save
pictured = shown.wanted
save_pictures = shown.save
write = page.write


def verdict(workdir):
  """Whether a run is learning, collapsed or not yet either, and why, in a line."""
  return verdicts.line(reader.read(workdir))
