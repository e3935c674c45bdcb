"""Pages with controls, for JupyterLab.

page        what all pages share: showing, hearing, uploads
finder      search by picture
lens        the microscope for dHash
radius      a radius to move over two histograms
album       the pictures of a dataset with their fingerprints, and one picture of a person's own
"""
