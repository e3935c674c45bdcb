"""Pages with controls, for JupyterLab.

page        what both pages share: showing, hearing, uploads
finder      search by picture
lens        the microscope for dHash
album       the pictures of a dataset with their fingerprints, and one picture of a person's own
"""
