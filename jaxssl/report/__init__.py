"""The page that a person looks at: `report.html` in a run's workdir.

`atlas` and `save_atlas` keep what the page shows of a model's features; `write`
draws the page from the files of the workdir alone.
"""

from jaxssl.report import features_map
from jaxssl.report import page

atlas = features_map.atlas
save_atlas = features_map.save
write = page.write
